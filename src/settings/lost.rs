//! What a shell, or the crate that reads `.env`, has taken out of a template: both take `$name` and `${name}` for a
//! variable of theirs, which is mostly empty.

/// The names that people give to the passcode.
const NAMES: [&str; 5] = ["otpcode", "passcode", "code", "otp", "pin"];

/// What stands around a name where it is not a placeholder of ours.
const AROUND: [(&str, &str); 7] =
    [("{", "}"), ("{{ ", " }}"), ("$(", ")"), ("$", ""), ("%", "%"), ("<", ">"), ("[", "]")];

/// What remains of a sentence out of which a word was taken.
const GAPS: [&str; 12] = [
    "  ",
    " .",
    " ,",
    " !",
    ":.",
    ":,",
    "()",
    "[]",
    "\"\"",
    "''",
    "\u{201c}\u{201d}",
    "\u{ab}\u{bb}",
];

/// What is to be said of a text without its `${code}`; `None` where nothing tells that it ever had one.
pub(super) fn code(template: &str) -> Option<String> {
    let text = template.to_lowercase();
    let mut written =
        NAMES.iter().flat_map(|name| AROUND.map(|(open, close)| [open, name, close].concat()));
    if let Some(written) = written.find(|written| text.contains(written)) {
        return Some(format!(
            "has no ${{code}}, but has {written}: write ${{code}}, with $ and {{ }}. If you did, {WHERE}"
        ));
    }
    // A line break may come from the file.
    let text = text.trim_matches(['\r', '\n']);
    let is_cut = text.is_empty()
        || text.starts_with([' ', ':', '.', ',', ';', ')'])
        || text.ends_with([' ', ':', '=', '#', '(', '\u{a0}'])
        || GAPS.iter().any(|gap| text.contains(gap));
    is_cut.then(|| format!("has a gap where its ${{code}} may have been. If you wrote it, {WHERE}"))
}

const WHERE: &str = "a shell or .env has taken it for a variable: put single quotes around the whole value, or give \
                     the document as --variable settings=@settings.toml";

#[cfg(test)]
mod tests {
    use super::code;

    #[test]
    fn a_template_that_has_lost_its_code_is_told_from_one_that_never_had_it() {
        for (template, told) in [
            ("Your code is ", Some("has a gap")),
            ("Your code is .", Some("has a gap")),
            ("Your code is . It expires in  minutes.", Some("has a gap")),
            (": ", Some("has a gap")),
            (" is your code", Some("has a gap")),
            ("Code:", Some("has a gap")),
            ("Contoso:\u{a0}", Some("has a gap")),
            ("Your code () is here", Some("has a gap")),
            ("Ihr Code lautet “”", Some("has a gap")),
            ("", Some("has a gap")),
            ("\n", Some("has a gap")),
            ("Your code is {code}", Some("but has {code}:")),
            ("Your code is {{ Code }}.", Some("but has {{ code }}:")),
            ("Your code is $code", Some("but has $code:")),
            ("Your code is $otpCode", Some("but has $otpcode:")),
            ("Your code is $(code).", Some("but has $(code):")),
            ("Your code is %otp%", Some("but has %otp%:")),
            ("<passcode> is your code", Some("but has <passcode>:")),
            ("Hello", None),
            ("Welcome to Contoso.\n", None),
            ("Your code is code", None),
            ("${minutes} ${org}", None),
        ] {
            let actual = code(template);
            match (told, actual.as_deref()) {
                (None, None) => {}
                (Some(told), Some(actual)) if actual.contains(told) => {}
                _ => panic!("{template:?}: {actual:?}"),
            }
        }
    }
}
