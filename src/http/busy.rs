//! What is answered where there is no time for a page. It has to be cheap, so that nothing is rendered for it.

use super::{plain, visitor::Visitor};
use app::i18n::Lang;
use axum::{
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use std::fmt::Write;

/// Seconds after which it is worth a try.
const RETRY_AFTER: &str = "2";

struct Words {
    title: &'static str,
    text: &'static str,
    again: &'static str,
}

const EN: Words = Words {
    title: "Very busy right now",
    text: "More people are opening pages than this server can keep up with. Try again in a few seconds.",
    again: "Try again",
};
const KO: Words = Words {
    title: "지금 접속이 많습니다",
    text: "한꺼번에 많은 분이 접속해 페이지를 바로 보여 드리지 못했습니다. 몇 초 뒤에 다시 시도해 주세요.",
    again: "다시 시도",
};

/// The page that says so, with what was typed if it answers a form.
pub fn page(visitor: &Visitor) -> Response {
    let page = html(visitor.lang, &visitor.here, visitor.form().as_deref());
    let headers = [
        (header::CONTENT_TYPE, "text/html; charset=utf-8"),
        (header::CACHE_CONTROL, "no-store"),
        (header::RETRY_AFTER, RETRY_AFTER),
        (header::CONTENT_SECURITY_POLICY, plain::POLICY),
    ];
    let mut response = (StatusCode::SERVICE_UNAVAILABLE, page).into_response();
    for (name, value) in headers {
        response.headers_mut().insert(name, HeaderValue::from_static(value));
    }
    response
}

fn html(lang: Lang, here: &str, form: Option<&[(String, String)]>) -> String {
    let Words { title, text, again } = match lang {
        Lang::Ko => KO,
        Lang::En => EN,
    };
    let here = escaped(here);
    let body = match form {
        None => format!("<p>{text}</p><p><a href=\"{here}\">{again}</a></p>"),
        Some(fields) => {
            let fields = fields.iter().fold(String::new(), |mut fields, (name, value)| {
                let (name, value) = (escaped(name), escaped(value));
                let _ = write!(fields, "<input type=\"hidden\" name=\"{name}\" value=\"{value}\">");
                fields
            });
            format!("<p>{text}</p><form method=\"post\" action=\"{here}\">{fields}<button>{again}</button></form>")
        }
    };
    plain::page(lang, title, &body)
}

/// As text between quotes.
fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            // A browser would make line feeds of them.
            '\r' => escaped.push_str("&#13;"),
            c => escaped.push(c),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_typed_is_kept_and_nothing_else() {
        let typed = [("text".to_owned(), "\"><script>1</script> & '\r\n".to_owned())];
        let page = html(Lang::En, "/r/a?x=\"y&z", Some(&typed));
        assert!(page.contains("value=\"&quot;&gt;&lt;script&gt;1&lt;/script&gt; &amp; &#39;&#13;\n\""), "{page}");
        assert!(page.contains("action=\"/r/a?x=&quot;y&amp;z\""), "{page}");
        assert!(html(Lang::Ko, "/", None).contains("<a href=\"/\">다시 시도</a>"));
    }
}
