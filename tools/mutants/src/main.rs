//! Writes source files with all their mutants in them, each behind a switch (`active.rs`), so that one build holds them all.
//!
//! Reads `{"from", "to", "excluded": [id], "mutants": [a mutant of cargo-mutants' list, with an id]}` on the standard input and
//! prints for each file which bytes belong to which mutant, so that a compiler's error can be laid to one.

use proc_macro2::{LineColumn, Span};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, HashMap, HashSet};
use std::error::Error;
use syn::spanned::Spanned;
use syn::visit::{self, Visit};

#[derive(Deserialize)]
struct Request {
    from: String,
    to: String,
    excluded: HashSet<u64>,
    mutants: Vec<Mutant>,
}

#[derive(Deserialize)]
struct Mutant {
    id: u64,
    file: String,
    genre: String,
    replacement: String,
    span: Region,
}

#[derive(Deserialize)]
struct Region {
    start: Place,
}

/// Counted from 1.
#[derive(Deserialize)]
struct Place {
    line: usize,
    column: usize,
}

#[derive(Serialize)]
struct Written {
    file: String,
    /// `(mutant, start, end)` of each mutated copy.
    ranges: Vec<(u64, usize, usize)>,
    /// `(mutants, start, end)` of each switch with all its copies.
    switches: Vec<(Vec<u64>, usize, usize)>,
    /// Mutants of the list for which nothing was written.
    lost: Vec<u64>,
}

struct Edit {
    start: usize,
    end: usize,
    kind: Kind,
}

enum Kind {
    /// `return VALUE;` at the start of a body.
    Body(Vec<(u64, String)>),
    Binary { operator: (usize, usize), with: Vec<(u64, String)> },
    Unary { operand: usize, ids: Vec<u64> },
    /// An arm without a guard gets one.
    Arm(u64),
    Guard { deleted: Vec<u64>, with: Vec<(u64, String)> },
}

struct Finder<'a> {
    text: &'a str,
    lines: &'a [usize],
    at: HashMap<(&'a str, usize), Vec<(u64, String)>>,
    edits: Vec<Edit>,
}

fn place(text: &str, lines: &[usize], line: usize, column: usize) -> usize {
    let rest = &text[lines[line]..];
    lines[line] + rest.char_indices().nth(column).map_or(rest.len(), |(at, _)| at)
}

impl<'a> Finder<'a> {
    fn offset(&self, at: LineColumn) -> usize {
        place(self.text, self.lines, at.line - 1, at.column)
    }

    fn range(&self, span: Span) -> (usize, usize) {
        (self.offset(span.start()), self.offset(span.end()))
    }

    fn take(&mut self, genre: &'a str, start: usize) -> Vec<(u64, String)> {
        self.at.remove(&(genre, start)).unwrap_or_default()
    }

    fn ids(&mut self, genre: &'a str, start: usize) -> Vec<u64> {
        self.take(genre, start).into_iter().map(|(id, _)| id).collect()
    }

    fn function(&mut self, signature: &syn::Signature, block: &syn::Block) {
        // A switch cannot be read at compile time.
        if signature.constness.is_some() {
            return;
        }
        let open = self.range(block.brace_token.span.open()).0;
        let first = block.stmts.first().map(|first| self.range(first.span()).0);
        let mut found = Vec::new();
        for start in [Some(open), Some(open + 1), first].into_iter().flatten() {
            found.extend(self.take("FnValue", start));
        }
        if !found.is_empty() {
            self.edits.push(Edit { start: open + 1, end: open + 1, kind: Kind::Body(found) });
        }
        visit::visit_block(self, block);
    }
}

fn has_let(expression: &syn::Expr) -> bool {
    match expression {
        syn::Expr::Let(_) => true,
        syn::Expr::Binary(binary) => has_let(&binary.left) || has_let(&binary.right),
        _ => false,
    }
}

impl<'ast> Visit<'ast> for Finder<'_> {
    fn visit_item_fn(&mut self, item: &'ast syn::ItemFn) {
        self.function(&item.sig, &item.block);
    }

    fn visit_impl_item_fn(&mut self, item: &'ast syn::ImplItemFn) {
        self.function(&item.sig, &item.block);
    }

    fn visit_trait_item_fn(&mut self, item: &'ast syn::TraitItemFn) {
        if let Some(block) = &item.default {
            self.function(&item.sig, block);
        }
    }

    fn visit_expr_binary(&mut self, binary: &'ast syn::ExprBinary) {
        let operator = self.range(binary.op.span());
        if !has_let(&binary.left) && !has_let(&binary.right) {
            let with = self.take("BinaryOperator", operator.0);
            if !with.is_empty() {
                let (start, end) = (self.range(binary.left.span()).0, self.range(binary.right.span()).1);
                self.edits.push(Edit { start, end, kind: Kind::Binary { operator, with } });
            }
        }
        visit::visit_expr_binary(self, binary);
    }

    fn visit_expr_unary(&mut self, unary: &'ast syn::ExprUnary) {
        let (start, operand) = self.range(unary.op.span());
        let ids = self.ids("UnaryOperator", start);
        if !ids.is_empty() {
            let end = self.range(unary.expr.span()).1;
            self.edits.push(Edit { start, end, kind: Kind::Unary { operand, ids } });
        }
        visit::visit_expr_unary(self, unary);
    }

    fn visit_arm(&mut self, arm: &'ast syn::Arm) {
        let (start, pattern) = (self.range(arm.span()).0, self.range(arm.pat.span()).0);
        let mut deleted = self.ids("MatchArm", start);
        deleted.extend(self.ids("MatchArm", pattern));
        match &arm.guard {
            Some((_, guard)) if !has_let(guard) => {
                let (start, end) = self.range(guard.span());
                let with = self.take("MatchArmGuard", start);
                if !deleted.is_empty() || !with.is_empty() {
                    self.edits.push(Edit { start, end, kind: Kind::Guard { deleted, with } });
                }
            }
            Some(_) => {}
            None => {
                let arrow = self.range(arm.fat_arrow_token.span()).0;
                self.edits.extend(deleted.into_iter().map(|id| Edit { start: arrow, end: arrow, kind: Kind::Arm(id) }));
            }
        }
        visit::visit_arm(self, arm);
    }
}

fn on(id: u64) -> String {
    format!("crate::__mutant::on({id})")
}

#[derive(Default)]
struct Out {
    text: String,
    ranges: Vec<(u64, usize, usize)>,
    switches: Vec<(Vec<u64>, usize, usize)>,
}

impl Out {
    /// `if on(id) { (COPY) } else …` for each copy; the copies have no switches of their own.
    fn copies<'c>(&mut self, copies: impl Iterator<Item = (u64, std::borrow::Cow<'c, str>)>) -> Vec<u64> {
        self.text.push('(');
        let mut ids = Vec::new();
        for (id, copy) in copies {
            self.text.push_str(&format!("if {} {{ (", on(id)));
            let start = self.text.len();
            self.text.push_str(&copy);
            self.ranges.push((id, start, self.text.len()));
            self.text.push_str(") } else ");
            ids.push(id);
        }
        self.text.push_str("{ (");
        ids
    }

    /// The bytes from `low` to `high` with their edits, which are sorted, outer ones first.
    fn render(&mut self, source: &str, edits: &[Edit], low: usize, high: usize) {
        let (mut at, mut next) = (low, 0);
        while let Some(edit) = edits.get(next) {
            if edit.start < at || edit.end > high || edit.start > high {
                next += 1;
                continue;
            }
            let after = next + 1 + edits[next + 1..].iter().take_while(|inner| inner.start < edit.end).count();
            let inner = &edits[next + 1..after];
            self.text.push_str(&source[at..edit.start]);
            let begin = self.text.len();
            let ids = match &edit.kind {
                Kind::Body(with) => {
                    for (id, value) in with {
                        let start = self.text.len();
                        self.text.push_str(&format!(" if {} {{ return {value}; }} ", on(*id)));
                        self.ranges.push((*id, start, self.text.len()));
                    }
                    with.iter().map(|(id, _)| *id).collect()
                }
                Kind::Arm(id) => {
                    self.text.push_str(&format!(" if !{} ", on(*id)));
                    vec![*id]
                }
                Kind::Binary { operator, with } => {
                    let (left, right) = (&source[edit.start..operator.0], &source[operator.1..edit.end]);
                    let ids = self.copies(with.iter().map(|(id, other)| (*id, format!("{left} {other} {right}").into())));
                    self.render(source, inner, edit.start, operator.0);
                    self.text.push_str(&source[operator.0..operator.1]);
                    self.render(source, inner, operator.1, edit.end);
                    self.text.push_str(") })");
                    ids
                }
                Kind::Unary { operand, ids } => {
                    let ids = self.copies(ids.iter().map(|id| (*id, source[*operand..edit.end].into())));
                    self.text.push_str(&source[edit.start..*operand]);
                    self.render(source, inner, *operand, edit.end);
                    self.text.push_str(") })");
                    ids
                }
                Kind::Guard { deleted, with } => {
                    self.text.push('(');
                    for id in deleted {
                        self.text.push_str(&format!("!{} && ", on(*id)));
                    }
                    let mut ids = self.copies(with.iter().map(|(id, value)| (*id, value.as_str().into())));
                    self.render(source, inner, edit.start, edit.end);
                    self.text.push_str(") }))");
                    ids.extend(deleted);
                    ids
                }
            };
            self.switches.push((ids, begin, self.text.len()));
            at = edit.end;
            next = after;
        }
        self.text.push_str(&source[at..high]);
    }
}

fn write(request: &Request, file: &str, mutants: &[&Mutant]) -> Result<Written, Box<dyn Error>> {
    let text = std::fs::read_to_string(format!("{}/{file}", request.from))?;
    let mut lines = vec![0];
    lines.extend(text.match_indices('\n').map(|(at, _)| at + 1));
    let mut at: HashMap<(&str, usize), Vec<(u64, String)>> = HashMap::new();
    for mutant in mutants {
        let start = place(&text, &lines, mutant.span.start.line - 1, mutant.span.start.column - 1);
        at.entry((&mutant.genre, start)).or_default().push((mutant.id, mutant.replacement.clone()));
    }
    let mut finder = Finder { text: &text, lines: &lines, at, edits: Vec::new() };
    finder.visit_file(&syn::parse_file(&text)?);
    let mut edits = finder.edits;
    edits.sort_by_key(|edit| (edit.start, edit.start != edit.end, usize::MAX - edit.end));
    let mut out = Out::default();
    out.render(&text, &edits, 0, text.len());
    std::fs::write(format!("{}/{file}", request.to), &out.text)?;
    let written: HashSet<u64> = out.switches.iter().flat_map(|(ids, ..)| ids).copied().collect();
    Ok(Written {
        file: file.to_owned(),
        ranges: out.ranges,
        switches: out.switches,
        lost: mutants.iter().map(|mutant| mutant.id).filter(|id| !written.contains(id)).collect(),
    })
}

fn main() -> Result<(), Box<dyn Error>> {
    let request: Request = serde_json::from_reader(std::io::stdin())?;
    let mut files: BTreeMap<&str, Vec<&Mutant>> = BTreeMap::new();
    for mutant in &request.mutants {
        let of_file = files.entry(&mutant.file).or_default();
        if !request.excluded.contains(&mutant.id) {
            of_file.push(mutant);
        }
    }
    let written: Vec<Written> = files
        .into_iter()
        .map(|(file, mutants)| write(&request, file, &mutants))
        .collect::<Result<_, _>>()?;
    println!("{}", serde_json::to_string(&written)?);
    Ok(())
}
