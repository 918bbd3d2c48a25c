use super::*;

#[test]
fn a_client_ignores_kinds_and_fields_it_does_not_know() {
    let frame: ServerFrame = serde_json::from_str(r#"{"t":"fireworks","colour":"red"}"#).unwrap();
    assert_eq!(frame, ServerFrame::Unknown);
    let frame: ServerFrame = serde_json::from_str(r#"{"t":"pong","at":5}"#).unwrap();
    assert_eq!(frame, ServerFrame::Pong);
}

#[test]
fn a_code_reads_the_same_in_rust_and_on_the_wire() {
    for code in [ErrorCode::NameTaken, ErrorCode::OutOfOrder, ErrorCode::Unavailable] {
        assert_eq!(serde_json::to_string(&code).unwrap(), format!("\"{}\"", code.as_str()));
    }
    assert_eq!(serde_json::from_str::<ErrorCode>("\"from_the_future\"").unwrap(), ErrorCode::Internal);
}

/// The words in the first column of the table under a heading of the protocol's page.
fn first_column(heading: &str) -> Vec<&'static str> {
    let page = include_str!("../../../../docs/protocol.md");
    let section = page.split_once(heading).unwrap().1;
    let section = section.split_once("\n#").map_or(section, |(section, _)| section);
    let rows = section.lines().filter_map(|line| line.strip_prefix("| ")?.split(" |").next());
    rows.flat_map(|cell| cell.split(", ")).map(|word| word.trim_matches('`')).filter(|word| *word != "code").collect()
}

/// What the variants of an enum of this file are set to, or called.
fn variants(name: &str) -> Vec<&'static str> {
    let body = include_str!("../frames.rs").split_once(&format!("pub enum {name} {{\n")).unwrap().1;
    let lines = body.lines().take_while(|line| *line != "}").map(str::trim);
    let variants = lines.filter(|line| line.starts_with(|first: char| first.is_ascii_uppercase()));
    variants.map(|line| line.split_once(" = ").map_or(line, |(_, value)| value).trim_end_matches(',')).collect()
}

fn word(variant: &str) -> String {
    let mut word = String::new();
    for letter in variant.chars() {
        if letter.is_ascii_uppercase() && !word.is_empty() {
            word.push('_');
        }
        word.push(letter.to_ascii_lowercase());
    }
    word
}

#[test]
fn the_page_lists_each_code_there_is_and_no_other() {
    let page = include_str!("../../../../docs/protocol.md");
    let known: Vec<_> = variants("ErrorCode").into_iter().map(word).collect();
    assert!(known.len() > 20, "{known:?}");
    for code in &known {
        assert!(
            page.contains(&format!("`{code}`")) || page.contains(&format!("\"{code}\"")),
            "{code} is not on the page"
        );
    }
    for code in [first_column("\n### Errors\n"), first_column("\n### Sending\n")].concat() {
        assert!(known.iter().any(|known| known == code), "there is no {code}");
    }
    assert_eq!(first_column("\n### Close codes\n"), variants("CloseCode"));
}

#[test]
fn only_objects_are_taken_for_objects() {
    for (frame, is_one) in [
        (r#"{"t":"join","room":"a","cursor":{"epoch":"00000000000000aa","seq":1,"id":"00000000000000bb"}}"#, true),
        (r#"{"t":"join","room":"a","cursor":["00000000000000aa",1,"00000000000000bb"]}"#, false),
        (r#"{"t":"join","room":"a","cursor":null}"#, true),
        (r#"{"t":"join","room":"a","cursor":[]}"#, false),
        (r#"{"t":"read","room":"a","mark":{"epoch":"00000000000000aa","seq":1}}"#, true),
        (r#"{"t":"read","room":"a","mark":["00000000000000aa",1]}"#, false),
        (
            r#"{"t":"send","room":"a","p":"00000000000000aa","n":2,"text":"x","earlier":[{"p":"00000000000000aa","n":1}]}"#,
            true,
        ),
        (
            r#"{"t":"send","room":"a","p":"00000000000000aa","n":2,"text":"x","earlier":[["00000000000000aa",1]]}"#,
            false,
        ),
    ] {
        assert_eq!(serde_json::from_str::<ClientFrame>(frame).is_ok(), is_one, "{frame}");
    }
}

#[test]
fn a_negative_seq_is_no_cursor() {
    let join = r#"{"t":"join","room":"a","cursor":{"epoch":"00000000000000aa","seq":-1,"id":"0000000000000000"}}"#;
    assert!(serde_json::from_str::<ClientFrame>(join).is_err());
}

/// Reads each line as a frame and expects it to be written as it was read. Returns the kinds there were.
fn kinds<F: Serialize + de::DeserializeOwned>(lines: &str) -> Vec<String> {
    let kind = |line: &str| {
        let frame: F = serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"));
        assert_eq!(serde_json::to_string(&frame).unwrap(), line);
        let fields: serde_json::Value = serde_json::from_str(line).unwrap();
        fields["t"].as_str().unwrap().to_owned()
    };
    let mut kinds: Vec<_> = lines.lines().map(kind).collect();
    kinds.dedup();
    kinds
}

/// The kinds of frame of an enum of this file, as they are written.
fn kinds_of(name: &str) -> Vec<String> {
    let kinds = variants(name).into_iter().map(|variant| word(variant.trim_end_matches(" {")));
    kinds.filter(|kind| kind != "unknown").collect()
}

/// Clients of other builds, and of others' making, speak it as it is in these files.
#[test]
fn frames_are_written_as_they_are() {
    assert_eq!(kinds::<ClientFrame>(include_str!("client_frames.jsonl")), kinds_of("ClientFrame"));
    assert_eq!(kinds::<ServerFrame>(include_str!("server_frames.jsonl")), kinds_of("ServerFrame<E = Entry>"));
}
