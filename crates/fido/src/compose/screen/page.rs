//! A draft as it is edited on the screen: fields of one line each, and the text below. No terminal is touched here.

use ratatui::{
    crossterm::event::{Event, KeyCode, KeyEvent, KeyEventKind, KeyModifiers},
    style::Style,
};
use ratatui_textarea::{CursorMove, DataCursor, Scrolling, TextArea, WrapMode};
use unicode_width::UnicodeWidthChar;

use super::super::{Draft, address, text::expanded};
use crate::{Exit, Failure, message::Summary};

/// Lines of a text that can be edited here: those on the screen are counted in 16 bits.
const MAX_LINES: usize = 20_000;
/// And octets.
const MAX_OCTETS: usize = 512 * 1024;
/// Marks on a character that are taken for one with it.
const MAX_MARKS: usize = 32;
/// Steps that can be undone.
const MAX_UNDO: usize = 10_000;

/// What a key asks for beyond the page.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Wish {
    /// Nothing.
    Nothing,
    /// To leave.
    Leave,
    /// To put the draft into Drafts.
    Keep,
    /// To draw all of the screen.
    Redraw,
}

/// What a field is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    To,
    Cc,
    Bcc,
    Subject,
    Attach,
    /// The message that is passed on, which goes with its line.
    Forward,
}

pub(super) struct Field {
    pub(super) kind: Kind,
    pub(super) area: TextArea<'static>,
}

impl Field {
    fn new(kind: Kind, value: &str) -> Self {
        let mut area = area(vec![line(value.trim())]);
        area.move_cursor(CursorMove::End);
        Self { kind, area }
    }

    pub(super) fn value(&self) -> &str {
        self.area.lines().first().map_or("", |line| line.trim())
    }
}

/// A draft on the screen.
pub(super) struct Page {
    pub(super) fields: Vec<Field>,
    pub(super) body: TextArea<'static>,
    /// The field where the cursor is; in the text where it is none.
    pub(super) at: Option<usize>,
    /// What is said on the last line until the next key.
    pub(super) note: Option<String>,
    /// What was wrong when leaving was tried last; trying again leaves all the same.
    is_warned: bool,
    is_changed: bool,
}

fn area(lines: Vec<String>) -> TextArea<'static> {
    let mut area = TextArea::new(lines);
    // The cursor is the terminal's.
    area.set_cursor_style(Style::new());
    area.set_cursor_line_style(Style::new());
    area.set_tab_length(8);
    area.set_max_histories(MAX_UNDO);
    area
}

/// A text in one line, in which whatever could act on a terminal is seen.
fn line(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { char::REPLACEMENT_CHARACTER } else { c }).collect()
}

fn lines(text: &str) -> Vec<String> {
    let shown = |c: char| if c.is_control() && c != '\t' { char::REPLACEMENT_CHARACTER } else { c };
    text.replace("\r\n", "\n").split('\n').map(|line| line.chars().map(shown).collect()).collect()
}

/// Whether a mark is under the cursor, which stands on the character before it.
fn is_on_mark(area: &TextArea<'_>) -> bool {
    let DataCursor(row, column) = area.cursor();
    let mut rest = area.lines().get(row).into_iter().flat_map(|line| line.chars().skip(column));
    rest.next().is_some_and(|under| under.width() == Some(0))
}

/// Moves on, or back, to where a character begins.
fn settle(area: &mut TextArea<'_>, back: bool) {
    for _ in 0..MAX_MARKS {
        if !is_on_mark(area) {
            return;
        }
        area.move_cursor(if back { CursorMove::Back } else { CursorMove::Forward });
    }
}

/// Takes away what is under the cursor, with its marks.
fn delete(area: &mut TextArea<'_>) -> bool {
    let is_changed = area.delete_next_char();
    for _ in 0..MAX_MARKS {
        if !is_on_mark(area) {
            break;
        }
        area.delete_next_char();
    }
    is_changed
}

impl Page {
    /// Shows a draft; the cursor is where something is missing.
    pub(super) fn new(draft: &Draft) -> Result<Self, Failure> {
        let mut fields = vec![
            Field::new(Kind::To, &draft.to),
            Field::new(Kind::Cc, &draft.cc),
            Field::new(Kind::Bcc, &draft.bcc),
            Field::new(Kind::Subject, &draft.subject),
        ];
        let attached = draft.attachments.iter();
        fields.extend(attached.map(|path| Field::new(Kind::Attach, &path.to_string_lossy())));
        fields.push(Field::new(Kind::Attach, ""));
        if let Some(message) = &draft.forwarded {
            let subject = Summary::of(message).subject;
            let shown = if subject.is_empty() { "(no subject)" } else { &subject };
            fields.push(Field::new(Kind::Forward, shown));
        }
        let at = match (draft.to.trim().is_empty(), draft.subject.trim().is_empty()) {
            (true, _) => Some(0),
            (false, true) => fields.iter().position(|field| field.kind == Kind::Subject),
            (false, false) => None,
        };
        let lines = lines(&draft.body);
        if !is_fit(&lines, 0) {
            let text = "the text is too long to be edited here; set VISUAL or EDITOR to a larger editor";
            return Err(Failure::new(Exit::Unavailable, text));
        }
        // An answer goes below what it answers.
        let quoted = lines.iter().rposition(|line| line.starts_with('>'));
        let below = quoted.filter(|_| !draft.in_reply_to.is_empty()).map_or(0, |quoted| quoted + 1);
        let mut body = area(lines);
        body.move_cursor(CursorMove::Jump(u16::try_from(below).unwrap_or(u16::MAX), 0));
        body.set_wrap_mode(WrapMode::WordOrGlyph);
        Ok(Self { fields, body, at, note: None, is_warned: false, is_changed: false })
    }

    /// What it has become, as it stands. What is not shown stays as it was.
    pub(super) fn draft(&self, before: &Draft) -> Draft {
        let value = |kind| self.values(kind).next().unwrap_or_default().to_owned();
        Draft {
            to: value(Kind::To),
            cc: value(Kind::Cc),
            bcc: value(Kind::Bcc),
            subject: value(Kind::Subject),
            attachments: self.values(Kind::Attach).map(expanded).collect(),
            forwarded: self.values(Kind::Forward).next().and(before.forwarded.clone()),
            body: self.body.lines().join("\n"),
            ..before.clone()
        }
    }

    /// The values of a kind of field that are not empty.
    fn values(&self, kind: Kind) -> impl Iterator<Item = &str> {
        let values = self.fields.iter().filter(move |field| field.kind == kind).map(Field::value);
        values.filter(|value| !value.is_empty())
    }

    /// Whether it has changed since this was asked last.
    pub(super) fn take_changed(&mut self) -> bool {
        std::mem::take(&mut self.is_changed)
    }

    /// What a key or a paste does.
    pub(super) fn happens(&mut self, event: &Event) -> Wish {
        match event {
            Event::Key(key) if key.kind != KeyEventKind::Release => self.press(*key),
            Event::Paste(text) => {
                self.note = None;
                self.put(text);
                Wish::Nothing
            }
            _ => Wish::Nothing,
        }
    }

    fn press(&mut self, key: KeyEvent) -> Wish {
        let is_held = |modifier| key.modifiers.contains(modifier);
        let (control, alt) = (is_held(KeyModifiers::CONTROL), is_held(KeyModifiers::ALT));
        self.note = None;
        let was_warned = std::mem::take(&mut self.is_warned);
        match key.code {
            KeyCode::Char('x' | 'c') if control => return self.leave(was_warned),
            KeyCode::Char('s') if control => return Wish::Keep,
            KeyCode::Char('l') if control => return Wish::Redraw,
            KeyCode::Char(character) if control => self.command(character),
            // Nobody means to write that.
            KeyCode::Char(_) if alt => {}
            KeyCode::Char(character) => self.put(character.encode_utf8(&mut [0; 4])),
            KeyCode::Esc => self.note = Some("Ctrl-X leaves, and asks what to do".to_owned()),
            _ => self.go(key.code, control || alt),
        }
        Wish::Nothing
    }

    /// Where the cursor is.
    fn here(&mut self) -> &mut TextArea<'static> {
        match self.at.and_then(|at| self.fields.get_mut(at)) {
            Some(field) => &mut field.area,
            None => &mut self.body,
        }
    }

    fn command(&mut self, character: char) {
        let here = self.here();
        let is_changed = match character {
            'z' => here.undo(),
            'y' => here.redo(),
            'k' => here.delete_line_by_end(),
            'v' => here.paste(),
            'u' => here.delete_line_by_head(),
            'w' => here.delete_word(),
            'd' => delete(here),
            'h' => here.delete_char(),
            'a' => return here.move_cursor(CursorMove::Head),
            'e' => return here.move_cursor(CursorMove::End),
            _ => return,
        };
        self.is_changed |= is_changed;
    }

    /// Keys that move, and those that take away or break a line.
    fn go(&mut self, code: KeyCode, is_far: bool) {
        let is_field = self.at.is_some();
        let is_at_top = self.body.screen_cursor().row == 0;
        let is_changed = match code {
            KeyCode::Enter | KeyCode::Tab | KeyCode::Down | KeyCode::PageDown if is_field => {
                return self.next_field(code == KeyCode::Enter);
            }
            KeyCode::Up | KeyCode::BackTab if is_field => {
                return self.at = self.at.map(|at| at.saturating_sub(1));
            }
            KeyCode::Up if is_at_top => return self.at = self.fields.len().checked_sub(1),
            KeyCode::BackTab => return self.at = self.fields.len().checked_sub(1),
            KeyCode::Enter if self.body.lines().len() >= MAX_LINES => return self.refuse(),
            KeyCode::Enter => {
                self.body.insert_newline();
                true
            }
            KeyCode::Tab => self.body.insert_tab(),
            KeyCode::Backspace if is_far => self.here().delete_word(),
            KeyCode::Backspace => self.here().delete_char(),
            KeyCode::Delete if is_far => self.here().delete_next_word(),
            KeyCode::Delete => delete(self.here()),
            KeyCode::PageUp if !is_field => return self.body.scroll(Scrolling::PageUp),
            KeyCode::PageDown => return self.body.scroll(Scrolling::PageDown),
            _ => {
                let step = match code {
                    KeyCode::Up => CursorMove::Up,
                    KeyCode::Down => CursorMove::Down,
                    KeyCode::Left if is_far => CursorMove::WordBack,
                    KeyCode::Left => CursorMove::Back,
                    KeyCode::Right if is_far => CursorMove::WordForward,
                    KeyCode::Right => CursorMove::Forward,
                    KeyCode::Home if is_far => CursorMove::Top,
                    KeyCode::Home => CursorMove::Head,
                    KeyCode::End if is_far => CursorMove::Bottom,
                    KeyCode::End => CursorMove::End,
                    _ => return,
                };
                self.here().move_cursor(step);
                return settle(self.here(), code == KeyCode::Left);
            }
        };
        self.is_changed |= is_changed;
    }

    /// Goes on to the next field, or to the text; behind an attachment that was named there is a line for another.
    fn next_field(&mut self, is_entered: bool) {
        let Some(at) = self.at else { return };
        let here = self.fields.get(at).map(|field| (field.kind, !field.value().is_empty()));
        let is_last = self.fields.get(at + 1).is_none_or(|next| next.kind != Kind::Attach);
        if is_entered && is_last && here == Some((Kind::Attach, true)) {
            self.fields.insert(at + 1, Field::new(Kind::Attach, ""));
        }
        if let Some((_, why)) = self.wrong(at) {
            self.note = Some(why);
        }
        self.at = Some(at + 1).filter(|at| *at < self.fields.len());
    }

    /// Puts a text in where the cursor is, without what could act on a terminal.
    fn put(&mut self, text: &str) {
        let is_field = self.at.is_some();
        let text = text.replace("\r\n", "\n").replace('\r', "\n");
        let kept = text.chars().filter_map(|c| match c {
            '\n' | '\t' if is_field => Some(' '),
            '\n' | '\t' => Some(c),
            c => (!c.is_control()).then_some(c),
        });
        let kept: String = kept.collect();
        if kept.len() > 4 && !is_fit(self.here().lines(), kept.len())
            || self.here().lines().len() + kept.matches('\n').count() > MAX_LINES
        {
            return self.refuse();
        }
        self.is_changed |= self.here().insert_str(kept);
    }

    fn refuse(&mut self) {
        self.note = Some("the text is full; send the rest as an attachment".to_owned());
    }

    fn leave(&mut self, was_warned: bool) -> Wish {
        let wrong = (0..self.fields.len()).find_map(|at| self.wrong(at));
        match wrong {
            Some((at, why)) if !was_warned => {
                self.at = Some(at);
                self.note = Some(format!("{why}; Ctrl-X leaves it so"));
                self.is_warned = true;
                Wish::Nothing
            }
            _ => Wish::Leave,
        }
    }

    /// What is wrong with a field.
    fn wrong(&self, at: usize) -> Option<(usize, String)> {
        let field = self.fields.get(at)?;
        let why = match field.kind {
            Kind::To | Kind::Cc | Kind::Bcc => address::list(field.value()).err()?,
            Kind::Attach if field.value().is_empty() => return None,
            Kind::Attach => match std::fs::metadata(expanded(field.value())) {
                Ok(file) if file.is_file() => return None,
                Ok(_) => format!("{} is no file", field.value()),
                Err(error) => format!("{}: {error}", field.value()),
            },
            Kind::Subject | Kind::Forward => return None,
        };
        Some((at, why))
    }
}

fn is_fit(lines: &[String], more: usize) -> bool {
    lines.len() <= MAX_LINES && lines.iter().map(|line| line.len() + 1).sum::<usize>() + more <= MAX_OCTETS
}
