//! Pages that have to be cheap, or that know nothing of who asks: a few lines in the looks of the others.

use app::i18n::Lang;

/// What they look like: all of it here, since such a page asks for no file.
const STYLE: &str = ":root{color-scheme:light dark}body{margin:0;background:light-dark(#fdfcf9,#161210);color:light-dark(#25201c,#e9e6e1);\
    font:15px/22px system-ui,sans-serif;word-break:keep-all;overflow-wrap:anywhere}main{display:grid;align-content:center;\
    box-sizing:border-box;min-height:100dvh;max-width:520px;margin:0 auto;padding:24px 20px 12vh}h1{margin:0;font-size:28px;\
    line-height:36px;text-wrap:balance}p{margin:8px 0}a,button{color:light-dark(#a83a14,#f29b6c);font:inherit}button{min-height:44px;\
    margin-top:16px;padding:0 20px;border:0;border-radius:6px;background:light-dark(#b43f16,#cd6037);color:light-dark(#fff,#1a0d05);\
    font-weight:650}";

/// What such a page may do: nothing, but look as it does and post the form that stands in it.
pub const POLICY: &str = "default-src 'none'; style-src 'sha256-kVkSh+pLGQiE1qUW0WQCzbHhEWo7vJIQzSV3ozi1ilo='; base-uri 'none'; form-action 'self'; frame-ancestors 'none'";

/// A page of `title` and what follows it, which is HTML already.
pub fn page(lang: Lang, title: &str, body: &str) -> String {
    let tag = lang.tag();
    format!(
        "<!DOCTYPE html><html lang=\"{tag}\"><head><meta charset=\"utf-8\"><title>{title} · Hubbub</title>\
         <meta name=\"viewport\" content=\"width=device-width,initial-scale=1\"><style>{STYLE}</style></head>\
         <body><main><h1>{title}</h1>{body}</main></body></html>\n"
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use sha2::{Digest, Sha256};

    /// As in RFC 4648, section 4.
    fn base64(bytes: &[u8]) -> String {
        const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
        let letter = |bits: u32| char::from(LETTERS[(bits & 63) as usize]);
        let mut text = String::new();
        for three in bytes.chunks(3) {
            let bits = (0..3).fold(0, |bits, i| bits << 8 | u32::from(three.get(i).copied().unwrap_or(0)));
            let all = [18, 12, 6, 0].map(|shift| letter(bits >> shift));
            text.extend(&all[..=three.len()]);
        }
        text + &"=".repeat((3 - bytes.len() % 3) % 3)
    }

    #[test]
    fn the_policy_allows_the_style_and_nothing_else() {
        assert_eq!(base64(b"Ma"), "TWE=");
        let hash = base64(&Sha256::digest(STYLE));
        assert!(POLICY.contains(&format!("style-src 'sha256-{hash}'")), "{hash}");
        assert!(page(Lang::Ko, "제목", "").contains("<html lang=\"ko\">"));
    }
}
