//! What a page of Markdown holds, read as GitHub reads it.

use pulldown_cmark::{CodeBlockKind, Event, Options, Parser, Tag, TagEnd};

/// What of a page the tests look at.
#[derive(Default)]
pub struct Page {
    pub tables: Vec<Table>,
    /// Where its links and pictures lead, as it is written.
    pub links: Vec<String>,
    /// The anchors of its headings, as GitHub makes them, and those that are written by hand.
    pub anchors: Vec<String>,
    /// Its blocks of code, and what is in backticks.
    pub code: Vec<String>,
    /// Its blocks of code.
    pub blocks: Vec<Block>,
}

/// A block of code.
#[derive(Default)]
pub struct Block {
    pub language: String,
    pub text: String,
}

#[derive(Default)]
pub struct Table {
    /// The heading above it.
    pub heading: String,
    pub header: Vec<String>,
    pub rows: Vec<Vec<Cell>>,
}

/// A cell of a table.
#[derive(Default)]
pub struct Cell {
    pub text: String,
    /// What in it is in backticks.
    pub code: Vec<String>,
}

impl Page {
    pub fn read(text: &str) -> Self {
        let parser = Parser::new_ext(text, Options::ENABLE_TABLES);
        let definitions = parser.reference_definitions().iter();
        let mut page = Self {
            links: definitions.map(|(_, definition)| definition.dest.to_string()).collect(),
            ..Self::default()
        };
        let (mut heading, mut cell) = (String::new(), Cell::default());
        let (mut is_heading, mut is_code_block) = (false, false);
        for event in parser {
            match event {
                Event::Start(Tag::Heading { .. }) => (heading, is_heading) = (String::new(), true),
                Event::Start(Tag::Link { dest_url, .. } | Tag::Image { dest_url, .. }) => {
                    page.links.push(dest_url.to_string());
                }
                Event::Start(Tag::CodeBlock(kind)) => {
                    let language = match kind {
                        CodeBlockKind::Fenced(language) => language.to_string(),
                        CodeBlockKind::Indented => String::new(),
                    };
                    page.blocks.push(Block { language, text: String::new() });
                    is_code_block = true;
                }
                Event::Start(Tag::Table(_)) => {
                    page.tables.push(Table { heading: heading.clone(), ..Table::default() });
                }
                Event::Start(Tag::TableRow) => {
                    page.tables.last_mut().unwrap().rows.push(Vec::new());
                }
                Event::Start(Tag::TableCell) => cell = Cell::default(),
                Event::End(TagEnd::Heading(_)) => {
                    page.add_anchor_of(&heading);
                    is_heading = false;
                }
                Event::End(TagEnd::CodeBlock) => {
                    page.code.extend(page.blocks.last().map(|block| block.text.clone()));
                    is_code_block = false;
                }
                Event::End(TagEnd::TableCell) => {
                    let table = page.tables.last_mut().unwrap();
                    let cell = std::mem::take(&mut cell);
                    match table.rows.last_mut() {
                        Some(row) => row.push(cell),
                        None => table.header.push(cell.text),
                    }
                }
                Event::Text(text) if is_code_block => {
                    page.blocks.last_mut().unwrap().text.push_str(&text);
                }
                Event::Text(text) if is_heading => heading.push_str(&text),
                Event::Text(text) => cell.text.push_str(&text),
                Event::Code(code) => {
                    if is_heading { &mut heading } else { &mut cell.text }.push_str(&code);
                    cell.code.push(code.to_string());
                    page.code.push(code.to_string());
                }
                Event::Html(html) | Event::InlineHtml(html) => {
                    let id = html.split_once("<a id=\"").and_then(|(_, id)| id.split_once('"'));
                    page.anchors.extend(id.map(|(id, _)| id.to_owned()));
                }
                _ => {}
            }
        }
        page
    }

    /// The table below this heading.
    pub fn table(&self, heading: &str) -> &Table {
        let found = self.tables.iter().find(|table| table.heading == heading);
        found.unwrap_or_else(|| panic!("there is no table below {heading}"))
    }

    fn add_anchor_of(&mut self, heading: &str) {
        let kept = |c: &char| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_');
        let slug: String =
            heading.to_lowercase().chars().filter(kept).collect::<String>().replace(' ', "-");
        let taken = |slug: &String| self.anchors.contains(slug);
        let counted = (1..).map(|count| format!("{slug}-{count}"));
        let free = std::iter::once(slug.clone()).chain(counted).find(|slug| !taken(slug));
        self.anchors.extend(free);
    }
}

#[test]
fn links_are_found_and_those_in_code_are_none() {
    let page = Page::read(
        "# One\n[a](README.md) `[b](gone.md)` ![c](gone.png \"C\")\n\n```sh\necho '[d](gone)'\n# Not one\n```\n\n\
         [e]: gone.html\n",
    );
    assert_eq!(page.links, ["gone.html", "README.md", "gone.png"]);
    assert_eq!(page.anchors, ["one"]);
    assert_eq!(page.code, ["[b](gone.md)", "echo '[d](gone)'\n# Not one\n"]);
}

#[test]
fn anchors_are_githubs() {
    let page = Page::read(
        "# What is kept, and where?\n## `GET /api/health`: 200, or [503](a.md)!\n\
         ## Okta's *own* snake_case — dash\n## Twice ##\n### Twice\n<a id=\"by-hand\"></a>\n\n#none\n",
    );
    assert_eq!(
        page.anchors,
        [
            "what-is-kept-and-where",
            "get-apihealth-200-or-503",
            "oktas-own-snake_case--dash",
            "twice",
            "twice-1",
            "by-hand"
        ]
    );
}

#[test]
fn a_table_has_the_heading_above_it_and_its_cells_have_their_code_apart() {
    let page =
        Page::read("## Keys\n\nAll.\n\n| key | what |\n|---|---|\n| `a`, `b` | one \\| two |\n");
    let table = page.table("Keys");
    assert_eq!(table.header, ["key", "what"]);
    let [key, what] = &table.rows[0][..] else { panic!() };
    assert_eq!((&*key.text, &key.code[..]), ("a, b", &["a".to_owned(), "b".to_owned()][..]));
    assert_eq!((&*what.text, what.code.len()), ("one | two", 0));
}
