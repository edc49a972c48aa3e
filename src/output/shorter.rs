//! [`shorter`]: a line of a plan that a screen can hold.

/// Longer lists are cut.
const MOST: usize = 8;

/// What is left of them.
const KEPT: usize = 4;

/// A line of a plan, of the lists in which (`projection=[…]`, `expr=[…]`, `file_groups={…}`, what comes behind `Projection:`)
/// no more is left than their beginning and how many more there are. A line that is no plan's stays as it is.
pub fn shorter(line: &str) -> String {
    let is_list = line.trim_start().starts_with("Projection: ");
    let mut open = vec![List::new(if is_list { '[' } else { '(' })];
    let (mut is_text, mut rest) = (false, line.chars().peekable());
    while let Some(c) = rest.next() {
        let Some(list) = open.last_mut() else { return line.to_owned() };
        match c {
            '"' => is_text = !is_text,
            _ if is_text => {}
            '[' | '{' | '(' => {
                open.push(List::new(c));
                continue;
            }
            ']' | '}' | ')' => {
                let closed = open.pop().filter(|list| list.is_closed_by(c));
                let (Some(closed), Some(list)) = (closed, open.last_mut()) else { return line.to_owned() };
                list.last.push(closed.bracket);
                list.last += &closed.text();
                list.last.push(c);
                continue;
            }
            ',' if rest.peek() == Some(&' ') => {
                rest.next();
                list.elements.push(std::mem::take(&mut list.last));
                continue;
            }
            _ => {}
        }
        list.last.push(c);
    }
    match (open.pop(), open.is_empty()) {
        (Some(line), true) if !is_text => line.text(),
        _ => line.to_owned(),
    }
}

/// What is between two brackets.
struct List {
    bracket: char,
    elements: Vec<String>,
    last: String,
}

impl List {
    fn new(bracket: char) -> Self {
        Self { bracket, elements: vec![], last: String::new() }
    }

    fn is_closed_by(&self, bracket: char) -> bool {
        [('[', ']'), ('{', '}'), ('(', ')')].contains(&(self.bracket, bracket))
    }

    /// Arguments in parentheses are all kept.
    fn text(mut self) -> String {
        self.elements.push(self.last);
        let more = self.elements.len() - KEPT.min(self.elements.len());
        if self.bracket == '(' || self.elements.len() <= MOST {
            return self.elements.join(", ");
        }
        self.elements.truncate(KEPT);
        format!("{}, … {more} more", self.elements.join(", "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_lists_are_cut_wherever_they_are_and_everything_else_stays() {
        let ten = (0..10).map(|n| format!("c{n}@{n}")).collect::<Vec<_>>().join(", ");
        for (line, expected) in [
            (format!("    ProjectionExec: expr=[{ten}]"), "    ProjectionExec: expr=[c0@0, c1@1, c2@2, c3@3, … 6 more]".to_owned()),
            (format!("  Projection: {ten}"), "  Projection: c0@0, c1@1, c2@2, c3@3, … 6 more".to_owned()),
            (
                format!("DataSourceExec: files=9/9, file_groups={{2 groups: [[{ten}], [a]]}}, projection=[a, f(b, [c])]"),
                "DataSourceExec: files=9/9, file_groups={2 groups: [[c0@0, c1@1, c2@2, c3@3, … 6 more], [a]]}, projection=[a, f(b, [c])]".to_owned(),
            ),
            (format!("FilterExec: f({ten}), fetch=1"), format!("FilterExec: f({ten}), fetch=1")),
        ] {
            assert_eq!(shorter(&line), expected);
        }
        // Brackets in texts are none; and where they do not match, nothing is cut.
        let text = format!("Filter: x = Utf8(\"]), [\") AND y IN ([{ten}])");
        assert_eq!(shorter(&text), "Filter: x = Utf8(\"]), [\") AND y IN ([c0@0, c1@1, c2@2, c3@3, … 6 more])");
        for line in
            [format!("a [{ten})"), format!("a [{ten}"), format!("a {ten}]"), format!("\" [{ten}]"), String::new()]
        {
            assert_eq!(shorter(&line), line);
        }
    }
}
