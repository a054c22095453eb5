package netfiles

import (
	"strings"
)

// entry is a line of a file of sections, as systemd and NetworkManager have them. A
// line that assigns nothing, a comment, a heading, has no key.
type entry struct {
	section, key, value string
	begins              int    // which heading the entry is below, counted from 1
	line                int    // where it is in the file, counted from 1
	raw                 string // as it is written, with its end
}

// sections is a file of them, line by line.
type sections []entry

// parseUnit reads a file of systemd (systemd.syntax(7)): a backslash at the end of a line
// joins it with the next one, in between comments count as nothing.
func parseUnit(text string) sections {
	lines := strings.SplitAfter(text, "\n")
	var joined []string
	for i := 0; i < len(lines); i++ {
		raw := lines[i]
		for !comment(raw, "#;") && continued(lines[i]) && i+1 < len(lines) && lines[i+1] != "" {
			i++
			raw += lines[i]
			for comment(lines[i], "#;") && i+1 < len(lines) && lines[i+1] != "" {
				i++
				raw += lines[i]
			}
		}
		joined = append(joined, raw)
	}
	return parseLines(joined, "#;", unitValue)
}

func continued(l string) bool { return strings.HasSuffix(strings.TrimRight(l, "\r\n"), "\\") }

// comment reports whether a line is none but a comment.
func comment(l, marks string) bool {
	l = strings.TrimSpace(l)
	return l != "" && strings.ContainsRune(marks, rune(l[0]))
}

// unitValue joins the lines of a value.
func unitValue(raw string) string {
	if !strings.Contains(raw, "\n") {
		return strings.TrimSpace(raw)
	}
	var parts []string
	for l := range strings.Lines(raw) {
		if !comment(l, "#;") || len(parts) == 0 {
			parts = append(parts, strings.TrimSpace(strings.TrimSuffix(strings.TrimRight(l, "\r\n"), "\\")))
		}
	}
	return strings.TrimSpace(strings.Join(parts, " "))
}

// parseKeyfile reads a file of NetworkManager (nm-settings-keyfile(5)).
func parseKeyfile(text string) sections {
	return parseLines(strings.SplitAfter(text, "\n"), "#", func(raw string) string { return unescape(strings.TrimSpace(raw)) })
}

// unescape is GKeyFile's: \s is a space.
func unescape(s string) string {
	if !strings.Contains(s, `\`) {
		return s
	}
	return strings.NewReplacer(`\\`, `\`, `\s`, " ", `\n`, "\n", `\t`, "\t", `\r`, "\r").Replace(s)
}

func parseLines(lines []string, marks string, value func(string) string) sections {
	var s sections
	section, begins, at := "", 0, 1
	for _, raw := range lines {
		if raw == "" {
			continue
		}
		e := entry{section: section, begins: begins, line: at, raw: raw}
		at += strings.Count(raw, "\n")
		l := strings.TrimSpace(raw)
		key, rest, assigns := strings.Cut(raw, "=")
		switch {
		case comment(raw, marks) || l == "":
		case l[0] == '[' && strings.HasSuffix(l, "]"):
			section, begins = l[1:len(l)-1], begins+1
			e.section, e.begins = section, begins
		case assigns:
			e.key, e.value = strings.TrimSpace(key), value(rest)
		}
		s = append(s, e)
	}
	return s
}

// heading reports whether an entry begins a section.
func (e entry) heading() bool {
	l := strings.TrimSpace(e.raw)
	return e.key == "" && len(l) > 1 && l[0] == '[' && l[len(l)-1] == ']'
}

// get is the last value of a key, "" when there is none.
func (s sections) get(section, key string) string {
	value, _ := s.find(section, key)
	return value
}

func (s sections) find(section, key string) (value string, ok bool) {
	for _, e := range s {
		if e.section == section && e.key == key {
			value, ok = e.value, true
		}
	}
	return value, ok
}

// list is all values of a key, its words one by one; an empty value forgets those
// before, as in systemd.
func (s sections) list(section, key string) []string {
	var words []string
	for _, e := range s {
		switch {
		case e.section != section || e.key != key:
		case e.value == "":
			words = nil
		default:
			words = append(words, strings.Fields(e.value)...)
		}
	}
	return words
}

// each calls f for every section of a name: there may be several of it.
func (s sections) each(section string, f func(sections)) {
	var part sections
	for _, e := range s {
		if e.section != section {
			continue
		}
		if e.heading() && part != nil {
			f(part)
			part = nil
		}
		part = append(part, e)
	}
	if part != nil {
		f(part)
	}
}

// has reports whether there is a section of a name.
func (s sections) has(section string) bool {
	for _, e := range s {
		if e.section == section && e.heading() {
			return true
		}
	}
	return false
}

// only keeps the entries that a function says, and of those before the first heading
// nothing but comments of others than kvmnet.
func (s sections) only(keep func(entry) bool) sections {
	var kept sections
	for _, e := range s {
		if e.begins > 0 && keep(e) {
			kept = append(kept, e)
		}
	}
	return kept
}

// String is the text, each line with an end.
func (s sections) String() string {
	var b strings.Builder
	for _, e := range s {
		b.WriteString(e.raw)
		if !strings.HasSuffix(e.raw, "\n") {
			b.WriteByte('\n')
		}
	}
	return b.String()
}

// set gives a key a value, in its place or at the end of its section, which is made
// where it is missing.
func (s sections) set(section, key, value string) sections {
	raw := key + "=" + value + "\n"
	last := -1
	for i, e := range s {
		if e.section == section && e.key == key {
			s[i].value, s[i].raw = value, raw
			return s
		}
		if e.section == section && (e.key != "" || e.heading()) {
			last = i
		}
	}
	if last < 0 {
		if len(s) > 0 {
			s = append(s, entry{raw: "\n"})
		}
		s = append(s, entry{section: section, begins: 1, raw: "[" + section + "]\n"})
		last = len(s) - 1
	}
	if !strings.HasSuffix(s[last].raw, "\n") {
		s[last].raw += "\n"
	}
	e := entry{section: section, key: key, value: value, begins: s[last].begins, raw: raw}
	return append(s[:last+1:last+1], append(sections{e}, s[last+1:]...)...)
}

// squeeze leaves one empty line where there are several, and none at the ends.
func (s sections) squeeze() sections {
	var out sections
	for _, e := range s {
		empty := strings.TrimSpace(e.raw) == ""
		if empty && (len(out) == 0 || strings.TrimSpace(out[len(out)-1].raw) == "") {
			continue
		}
		out = append(out, e)
	}
	for len(out) > 0 && strings.TrimSpace(out[len(out)-1].raw) == "" {
		out = out[:len(out)-1]
	}
	return out
}
