//! Which modules of a crate name which others, read from its files.

use proc_macro2::{Delimiter, TokenStream, TokenTree};
use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::Path,
};

type Module = Vec<String>;

/// A crate's modules, and what each names. What is compiled for tests alone is left out.
pub struct Crate {
    modules: BTreeSet<Module>,
    /// Who names whom, and by which path.
    named: Vec<(Module, Module, String)>,
    /// The types that other modules may name, and where each is.
    types: Vec<(String, Module)>,
}

/// From one module to another, with an example of what the first names of the second.
pub type Arrows = BTreeMap<(String, String), String>;

impl Crate {
    /// The crate whose `lib.rs` is in `folder`.
    pub fn read(folder: &Path) -> Self {
        let lib = folder.join("lib.rs");
        let source = fs::read_to_string(&lib).unwrap_or_else(|error| panic!("{}: {error}", lib.display()));
        Self::of(&source, folder)
    }

    /// The crate that `source` is the root of; modules without a body are read from `folder`.
    pub fn of(source: &str, folder: &Path) -> Self {
        let mut sources = Vec::new();
        collect(source, folder, vec![], &mut sources);
        let modules: BTreeSet<Module> = sources.iter().map(|(module, _)| module.clone()).collect();
        let (mut named, mut types) = (Vec::new(), Vec::new());
        for (module, tokens) in sources {
            types.extend(public_types(tokens.clone()).into_iter().map(|name| (name, module.clone())));
            let mut paths = Vec::new();
            names(tokens, &mut paths);
            for path in paths {
                let Some(target) = resolve(&module, &path, &modules) else { continue };
                named.push((module.clone(), target, path.join("::")));
            }
        }
        Self { modules, named, types }
    }

    /// The types that other modules may name, each with the module that it is of.
    pub fn types(&self) -> impl Iterator<Item = (&str, String)> {
        self.types.iter().map(|(name, module)| (name.as_str(), module.join("::")))
    }

    /// The modules at the crate's root.
    pub fn floors(&self) -> BTreeSet<&str> {
        self.modules.iter().filter(|module| module.len() == 1).map(|module| module[0].as_str()).collect()
    }

    /// The arrows between siblings in one folder: those at the crate's root, and below it those that are folders themselves. A child
    /// may use what is its parent's, and a parent its children.
    pub fn arrows(&self) -> Arrows {
        let is_folder = |module: &[String]| {
            module.len() == 1
                || self.modules.iter().any(|other| other.len() > module.len() && other.starts_with(module))
        };
        let mut arrows = BTreeMap::new();
        for (from, to, path) in &self.named {
            let common = from.iter().zip(to).take_while(|(a, b)| a == b).count();
            if common == from.len() || common == to.len() {
                continue;
            }
            let (one, other) = (&from[..=common], &to[..=common]);
            if !is_folder(one) || !is_folder(other) {
                continue;
            }
            let arrow = (one.join("::"), other.join("::"));
            arrows.entry(arrow).or_insert_with(|| format!("{} names {path}", from.join("::")));
        }
        arrows
    }
}

/// The sources of a module and of those below it.
fn collect(source: &str, folder: &Path, module: Module, into: &mut Vec<(Module, TokenStream)>) {
    let tokens: TokenStream = source.parse().unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    let mut own = Vec::new();
    let mut tokens = tokens.into_iter().peekable();
    let mut for_tests = false;
    while let Some(token) = tokens.next() {
        match &token {
            TokenTree::Punct(punct) if punct.as_char() == '#' => {
                if let Some(TokenTree::Group(group)) = tokens.peek() {
                    for_tests |= is_for_tests(&group.to_string());
                }
            }
            TokenTree::Ident(ident) if *ident == "mod" => {
                let Some(TokenTree::Ident(name)) = tokens.next() else { continue };
                let name = name.to_string();
                let mut child = module.clone();
                child.push(name.clone());
                match tokens.next() {
                    Some(TokenTree::Group(group)) if !for_tests => {
                        collect(&group.stream().to_string(), &folder.join(&name), child, into);
                    }
                    Some(TokenTree::Punct(_)) if !for_tests => {
                        let (file, inner) = (folder.join(format!("{name}.rs")), folder.join(&name));
                        let source = fs::read_to_string(&file).or_else(|_| fs::read_to_string(inner.join("mod.rs")));
                        collect(&source.unwrap_or_else(|_| panic!("{}", file.display())), &inner, child, into);
                    }
                    _ => {}
                }
                for_tests = false;
                continue;
            }
            TokenTree::Group(group) if group.delimiter() == Delimiter::Brace && std::mem::take(&mut for_tests) => {
                continue;
            }
            TokenTree::Punct(punct) if punct.as_char() == ';' => for_tests = false,
            _ => {}
        }
        own.push(token);
    }
    into.push((module, own.into_iter().collect()));
}

fn is_for_tests(attribute: &str) -> bool {
    let attribute: String = attribute.split_whitespace().collect();
    attribute == "[cfg(test)]" || attribute.starts_with("[cfg(all(test,")
}

/// The types that are declared in a module itself and not for it alone.
fn public_types(tokens: TokenStream) -> Vec<String> {
    let mut types = Vec::new();
    let mut tokens = tokens.into_iter().peekable();
    let is = |token: &TokenTree, words: &[&str]| matches!(token, TokenTree::Ident(it) if words.iter().any(|word| it == word));
    while let Some(token) = tokens.next() {
        if !is(&token, &["pub"]) {
            continue;
        }
        let is_limited =
            |token: &TokenTree| matches!(token, TokenTree::Group(it) if it.delimiter() == Delimiter::Parenthesis);
        tokens.next_if(is_limited);
        if tokens.next_if(|token| is(token, &["struct", "enum", "trait", "type", "union"])).is_some()
            && let Some(TokenTree::Ident(name)) = tokens.next()
        {
            types.push(name.to_string());
        }
    }
    types
}

/// Every path in `tokens`, those in `use` trees spread out; macros are read like everything else.
fn names(tokens: TokenStream, into: &mut Vec<Vec<String>>) {
    let mut path: Vec<String> = Vec::new();
    let mut colons = 0;
    let end = |path: &mut Vec<String>, into: &mut Vec<Vec<String>>| {
        if path.len() > 1 {
            into.push(path.clone());
        }
        path.clear();
    };
    for token in tokens {
        match token {
            TokenTree::Ident(ident) => {
                if colons != 2 {
                    end(&mut path, into);
                }
                path.push(ident.to_string());
                colons = 0;
            }
            TokenTree::Punct(punct) if punct.as_char() == ':' => colons += 1,
            TokenTree::Group(group) => {
                if colons == 2 && group.delimiter() == Delimiter::Brace && !path.is_empty() {
                    let mut inner = Vec::new();
                    tree(group.stream(), &mut inner);
                    into.extend(inner.into_iter().map(|rest| [path.clone(), rest].concat()));
                    path.clear();
                } else {
                    end(&mut path, into);
                    names(group.stream(), into);
                }
                colons = 0;
            }
            _ => {
                end(&mut path, into);
                colons = 0;
            }
        }
    }
    end(&mut path, into);
}

/// The branches of a `use` tree, also those of one word.
fn tree(tokens: TokenStream, into: &mut Vec<Vec<String>>) {
    let mut branch = TokenStream::new();
    let mut take = |branch: TokenStream| {
        let mut paths = Vec::new();
        names(branch.clone(), &mut paths);
        if paths.is_empty()
            && let Some(TokenTree::Ident(word)) = branch.into_iter().next()
        {
            paths.push(vec![word.to_string()]);
        }
        into.extend(paths);
    };
    for token in tokens {
        match token {
            TokenTree::Punct(punct) if punct.as_char() == ',' => take(std::mem::take(&mut branch)),
            token => branch.extend([token]),
        }
    }
    take(branch);
}

/// The module of the crate that a path in `module` leads to, if any.
fn resolve(module: &Module, path: &[String], modules: &BTreeSet<Module>) -> Option<Module> {
    let (mut at, mut rest) = match path[0].as_str() {
        "crate" => (vec![], &path[1..]),
        "self" => (module.clone(), &path[1..]),
        "super" => (module[..module.len().checked_sub(1)?].to_vec(), &path[1..]),
        // A module's own child.
        child => {
            let mut at = module.clone();
            at.push(child.to_owned());
            if !modules.contains(&at) {
                return None;
            }
            (at, &path[1..])
        }
    };
    while let Some((first, others)) = rest.split_first() {
        if first == "super" {
            at.pop()?;
        } else {
            let mut next = at.clone();
            next.push(first.clone());
            if !modules.contains(&next) {
                break;
            }
            at = next;
        }
        rest = others;
    }
    Some(at)
}

/// A circle among arrows, if there is one: each node leads to the next, and the last to the first.
pub fn circle(arrows: &Arrows) -> Option<Vec<String>> {
    fn visit<'a>(
        node: &'a str,
        arrows: &'a Arrows,
        way: &mut Vec<&'a str>,
        done: &mut BTreeSet<&'a str>,
    ) -> Option<Vec<String>> {
        if let Some(at) = way.iter().position(|seen| *seen == node) {
            return Some(way[at..].iter().map(|node| (*node).to_owned()).collect());
        }
        if done.contains(node) {
            return None;
        }
        way.push(node);
        for (_, to) in arrows.keys().filter(|(from, _)| from == node) {
            if let Some(found) = visit(to, arrows, way, done) {
                return Some(found);
            }
        }
        way.pop();
        done.insert(node);
        None
    }
    let mut done = BTreeSet::new();
    arrows.keys().find_map(|(from, _)| visit(from, arrows, &mut Vec::new(), &mut done))
}
