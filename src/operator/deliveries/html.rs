//! HTML that no data can break out of.

/// HTML in the making. There are two ways into it: markup, which only the source has, and text, which
/// is escaped. So nothing that a message brings along can be taken for markup.
///
/// Neither is inlined: there are more than a hundred calls, and they would take 10 KB more of the component.
#[derive(Default)]
pub(super) struct Html(String);

impl Html {
    /// Markup, as it is.
    #[inline(never)]
    pub(super) fn raw(&mut self, markup: &'static str) -> &mut Self {
        self.0.push_str(markup);
        self
    }

    /// Text, or the value of an attribute in double quotes.
    #[inline(never)]
    pub(super) fn text(&mut self, text: &str) -> &mut Self {
        let mut rest = text;
        while let Some(at) = rest.find(['&', '<', '>', '"', '\'']) {
            self.0.push_str(&rest[..at]);
            // All of them are one byte long.
            self.0.push_str(match rest.as_bytes()[at] {
                b'&' => "&amp;",
                b'<' => "&lt;",
                b'>' => "&gt;",
                b'"' => "&quot;",
                _ => "&#39;",
            });
            rest = &rest[at + 1..];
        }
        self.0.push_str(rest);
        self
    }

    /// A number.
    #[inline(never)]
    pub(super) fn number(&mut self, number: u64) -> &mut Self {
        self.text(&number.to_string())
    }

    /// The document.
    pub(super) fn into_bytes(self) -> Vec<u8> {
        self.0.into_bytes()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_escaped_and_markup_is_not() {
        let mut html = Html::default();
        html.raw("<b title=\"").text("\"é'").raw("\">").text("&<i>\u{1F4F1}").number(7).raw("</b>");
        assert_eq!(
            String::from_utf8(html.into_bytes()).unwrap(),
            "<b title=\"&quot;é&#39;\">&amp;&lt;i&gt;\u{1F4F1}7</b>"
        );
    }
}
