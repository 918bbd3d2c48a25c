//! A sum over a page, by which it can tell in the browser whether it is still what the server made.
//!
//! Translators, proxies that hide addresses or cut comments, and extensions change a page on its way or once it is there. A script
//! that took such a page over would lose its place in it, or take for a message what nobody wrote. So `head/page.js` adds the
//! document up as it finds it, and this module what the server sends: the same numbers in the same order.

/// Of the page's data, and of that with what was rendered from it. Only what Leptos writes has to be understood: quoted attributes,
/// comments, few character references.
pub fn sums(data: &str, html: &str) -> [u32; 2] {
    let mut sum = Sum(0x811c_9dc5);
    sum.add(data);
    let of_data = sum.0;
    let mut rest = html;
    while let Some((text, tag)) = rest.split_once('<') {
        sum.text(text);
        rest = if let Some(comment) = tag.strip_prefix('!') {
            let (data, after) = comment
                .strip_prefix("--")
                .and_then(|it| it.split_once("-->"))
                .unwrap_or_else(|| ("", past(comment, '>')));
            sum.add("8");
            sum.add(data);
            after
        } else if tag.starts_with('/') {
            past(tag, '>')
        } else {
            sum.element(tag)
        };
    }
    sum.text(rest);
    [of_data, sum.0]
}

/// What comes after the first `end`.
fn past(html: &str, end: char) -> &str {
    html.split_once(end).map_or("", |(_, after)| after)
}

/// FNV-1a over UTF-16, in which scripts count.
struct Sum(u32);

impl Sum {
    fn add(&mut self, text: &str) {
        self.0 = text.encode_utf16().fold(self.0, |sum, unit| (sum ^ u32::from(unit)).wrapping_mul(0x0100_0193));
    }

    /// There is no text node without text.
    fn text(&mut self, html: &str) {
        if !html.is_empty() {
            self.add("3");
            self.add(&decoded(html));
        }
    }

    /// The element that begins with this tag, whose `<` is gone; returns what comes after the tag.
    fn element<'a>(&mut self, tag: &'a str) -> &'a str {
        let end = tag.find(|c: char| c.is_ascii_whitespace() || c == '>' || c == '/').unwrap_or(tag.len());
        let (name, mut rest) = tag.split_at(end);
        self.add("1");
        self.add(name);
        while let Some(at) = rest.find(['"', '>']) {
            let after = &rest[at + 1..];
            if rest.as_bytes()[at] == b'>' {
                rest = after;
                break;
            }
            // Whoever changes an attribute changes nothing that a script builds upon.
            let Some((_, behind)) = after.split_once('"') else { return "" };
            rest = behind;
        }
        // In it everything is text, and a line feed at the beginning is none of it.
        if name == "textarea"
            && let Some(end) = rest.find("</textarea")
        {
            let (text, after) = rest.split_at(end);
            self.text(text.strip_prefix('\n').unwrap_or(text));
            return past(after, '>');
        }
        rest
    }
}

/// Text with its character references resolved.
fn decoded(html: &str) -> String {
    let mut text = String::with_capacity(html.len());
    let mut rest = html;
    while let Some((before, reference)) = rest.split_once('&') {
        text.push_str(before);
        let known = reference.split_once(';').and_then(|(name, after)| Some((referred(name)?, after)));
        if let Some((c, after)) = known {
            text.push(c);
            rest = after;
        } else {
            text.push('&');
            rest = reference;
        }
    }
    text.push_str(rest);
    text
}

fn referred(name: &str) -> Option<char> {
    Some(match name {
        "amp" => '&',
        "lt" => '<',
        "gt" => '>',
        "quot" => '"',
        "apos" => '\'',
        "nbsp" => '\u{a0}',
        _ => {
            let number = name.strip_prefix('#')?;
            let code = match number.strip_prefix(['x', 'X']) {
                Some(hex) => u32::from_str_radix(hex, 16),
                None => number.parse(),
            };
            char::from_u32(code.ok()?)?
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What `head/page.js` adds up: the nodes in the order of the document.
    fn of(data: &str, nodes: &[&str]) -> u32 {
        let mut sum = Sum(0x811c_9dc5);
        sum.add(data);
        for node in nodes {
            sum.add(node);
        }
        sum.0
    }

    #[test]
    fn a_page_is_added_up_as_a_browser_reads_it() {
        for (html, nodes) in [
            ("<p>a</p>b", &["1p", "3a", "3b"][..]),
            ("<p></p><!><!--x--><br>", &["1p", "8", "8x", "1br"]),
            ("&lt;&amp;&#x27;&#39;&quot;&gt;&hearts;&", &["3<&''\">&hearts;&"]),
            (r#"<i title="a > b" hidden data-n="1">🎉</i>"#, &["1i", "3🎉"]),
            ("<textarea id=\"t\">\n\n<b>&amp;</textarea>.", &["1textarea", "3\n<b>&", "3."]),
            ("<textarea></textarea><svg viewBox=\"0\"><path d=\"M1\"></path></svg>", &["1textarea", "1svg", "1path"]),
        ] {
            assert_eq!(sums("{}", html), [of("{}", &[]), of("{}", nodes)], "{html}");
        }
    }

    #[test]
    fn whatever_is_rewritten_changes_the_sum() {
        let sum = |data: &str, html: &str| sums(data, html)[1];
        let page = "<main><!><p>write to a@b.c</p></main>";
        for rewritten in [
            page.replace("write to a@b.c", "<font><font>write to a@b.c</font></font>"),
            page.replace("a@b.c", "[email protected]"),
            page.replace("<!>", ""),
            page.replace("</p>", "</p><grammarly-extension></grammarly-extension>"),
        ] {
            assert_ne!(sum("{}", page), sum("{}", &rewritten), "{rewritten}");
        }
        assert_ne!(sum("{}", page), sum("{ }", page));
        assert_eq!(
            sum("{}", page),
            sum("{}", &page.replace("<p", "<p data-gramm=\"false\"")),
            "attributes hurt nobody"
        );
    }
}
