//! Reads the members of a JSON object, collecting what is wrong with them.

use std::collections::BTreeMap;

use super::faults::Faults;
use crate::channel::Channel;
use crate::json::Node;
use crate::problem::Code;
use crate::text::{self, TextRule};

/// Takes the known members of one object out, one by one; what is left at the end is unknown.
#[derive(Debug)]
pub(crate) struct Reader<'a> {
    /// Path of the object with a final dot, or nothing for the request itself.
    prefix: String,
    members: BTreeMap<String, Node>,
    faults: &'a mut Faults,
}

impl<'a> Reader<'a> {
    /// Reads the request itself.
    pub(crate) fn root(node: Node, faults: &'a mut Faults) -> Self {
        Self::new(String::new(), node, faults)
    }

    fn new(path: String, node: Node, faults: &'a mut Faults) -> Self {
        let prefix = if path.is_empty() { String::new() } else { format!("{path}.") };
        let members = match node {
            Node::Object(members) => members,
            other => {
                let field = if path.is_empty() { "body".to_owned() } else { path };
                faults.add(Code::InvalidField, field, format!("is {}, an object is expected", other.kind()));
                BTreeMap::new()
            }
        };
        Self { prefix, members, faults }
    }

    /// A reader of the object that the member holds, if it is there.
    pub(crate) fn object(&mut self, name: &str) -> Option<Reader<'_>> {
        let node = self.take(name)?;
        Some(Reader::new(self.path(name), node, self.faults))
    }

    /// Whether the member is there; `null` is the same as absent.
    pub(crate) fn holds(&self, name: &str) -> bool {
        !matches!(self.members.get(name), None | Some(Node::Null))
    }

    /// A reader of the object that the member must hold.
    pub(crate) fn required_object(&mut self, name: &str) -> Option<Reader<'_>> {
        if !self.holds(name) {
            self.fault(name, "is required");
        }
        self.object(name)
    }

    /// The member's value; `null` is the same as absent.
    pub(crate) fn take(&mut self, name: &str) -> Option<Node> {
        self.members.remove(name).filter(|node| *node != Node::Null)
    }

    /// Every member that is left, in the order of their names.
    pub(crate) fn take_rest(&mut self) -> BTreeMap<String, Node> {
        std::mem::take(&mut self.members)
    }

    /// The full path of a member.
    pub(crate) fn path(&self, name: &str) -> String {
        format!("{}{name}", self.prefix)
    }

    /// Notes that a member is not valid.
    pub(crate) fn fault(&mut self, name: &str, detail: impl Into<String>) {
        self.fault_of(Code::InvalidField, name, detail);
    }

    /// Notes a fault of another code.
    pub(crate) fn fault_of(&mut self, code: Code, name: &str, detail: impl Into<String>) {
        let path = self.path(name);
        self.faults.add(code, path, detail);
    }

    /// Notes that a member has the wrong type.
    pub(crate) fn expected(&mut self, name: &str, node: &Node, what: &str) {
        self.fault(name, format!("is {}, {what} is expected", node.kind()));
    }

    /// A text that may be absent.
    pub(crate) fn text(&mut self, name: &str, rule: TextRule) -> Option<String> {
        let node = self.take(name)?;
        self.clean(name, node, rule)
    }

    /// A text that must be there. Where it is not, the fault is noted and an empty text stands in for it.
    pub(crate) fn required_text(&mut self, name: &str, rule: TextRule) -> String {
        if let Some(node) = self.take(name) {
            self.clean(name, node, rule).unwrap_or_default()
        } else {
            self.fault(name, "is required");
            String::new()
        }
    }

    /// A list of texts, empty where it is absent.
    pub(crate) fn texts(&mut self, name: &str, count_max: usize, rule: TextRule) -> Vec<String> {
        let items = self.list(name, count_max);
        let clean = |(index, item)| self.clean(&format!("{name}[{index}]"), item, rule);
        items.into_iter().enumerate().filter_map(clean).collect()
    }

    /// A list of any values, empty where it is absent or too long.
    pub(crate) fn list(&mut self, name: &str, count_max: usize) -> Vec<Node> {
        match self.take(name) {
            None => Vec::new(),
            Some(Node::List(items)) if items.len() <= count_max => items,
            Some(Node::List(items)) => {
                self.fault(name, format!("has {} items, at most {count_max} are allowed", items.len()));
                Vec::new()
            }
            Some(other) => {
                self.expected(name, &other, "an array");
                Vec::new()
            }
        }
    }

    /// A word of a closed list, if it is there.
    pub(crate) fn word<T>(&mut self, name: &str, node: Node, find: impl Fn(&str) -> Option<T>) -> Option<T> {
        match node {
            Node::Text(word) => {
                let found = find(&word);
                if found.is_none() {
                    self.fault(
                        name,
                        format!("is \"{}\", which is none of the known words", text::echo(&word)),
                    );
                }
                found
            }
            other => {
                self.expected(name, &other, "a string");
                None
            }
        }
    }

    /// The channel that the member must name.
    pub(crate) fn channel(&mut self, name: &str) -> Option<&'static Channel> {
        match self.take(name) {
            Some(Node::Text(id)) => {
                let found = Channel::find(&id);
                if found.is_none() {
                    let detail = format!("is \"{}\", which is not a known channel", text::echo(&id));
                    self.fault_of(Code::UnknownChannel, name, detail);
                }
                found
            }
            Some(other) => {
                self.expected(name, &other, "a string");
                None
            }
            None => {
                self.fault(name, "is required");
                None
            }
        }
    }

    /// Cleans one text, noting what is wrong with it.
    pub(crate) fn clean(&mut self, name: &str, node: Node, rule: TextRule) -> Option<String> {
        match node {
            Node::Text(raw) => match text::clean(&raw, rule) {
                Ok(text) => Some(text),
                Err(error) => {
                    self.fault(name, error.to_string());
                    None
                }
            },
            other => {
                self.expected(name, &other, "a string");
                None
            }
        }
    }

    /// Refuses whatever members are left.
    pub(crate) fn finish(mut self) {
        for name in self.take_rest().into_keys() {
            self.fault(&text::echo(&name), "is not a known field");
        }
    }
}
