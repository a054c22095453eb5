package netfiles

import (
	"path"
	"regexp"
	"slices"
	"strings"
)

// interfacesPath is the file ifupdown begins with.
const interfacesPath = "/etc/network/interfaces"

// statement is a line of a file of ifupdown, joined with those it goes on in.
type statement struct {
	number int      // of its first line
	raw    string   // as it is written
	words  []string // without comments; nil of a comment
	iface  string   // the interface whose stanza it is in, "" outside
}

// keyword is the first word.
func (s statement) keyword() string {
	if len(s.words) == 0 {
		return ""
	}
	return s.words[0]
}

// option reports whether a statement belongs to an iface stanza.
func (s statement) option() bool { return len(s.words) > 0 && s.iface != "" && s.words[0] != "iface" }

// value is what follows an option's name, as it is written but for the lines joined.
func (s statement) value() string {
	all := strings.TrimSpace(joined(s.raw))
	_, rest, _ := strings.Cut(all, s.keyword())
	return strings.TrimSpace(rest)
}

// interfacesFile is one of ifupdown's files.
type interfacesFile struct {
	path       string
	statements []statement
}

// parseInterfaces reads a file (interfaces(5)): a backslash at its end joins a line with
// the next, a comment is a line of its own.
func parseInterfaces(text string) []statement {
	var list []statement
	iface, number := "", 1
	lines := strings.SplitAfter(text, "\n")
	for i := 0; i < len(lines); i++ {
		raw, at := lines[i], number
		if raw == "" {
			continue
		}
		number++
		for !comment(raw, "#") && continued(lines[i]) && i+1 < len(lines) && lines[i+1] != "" {
			i++
			number++
			raw += lines[i]
		}
		s := statement{number: at, raw: raw}
		if !comment(raw, "#") {
			s.words = strings.Fields(joined(raw))
		}
		iface = stanzaOf(s, iface)
		s.iface = iface
		list = append(list, s)
	}
	return list
}

// joined joins the lines of a statement.
func joined(raw string) string {
	return strings.NewReplacer("\\\r\n", " ", "\\\n", " ").Replace(raw)
}

// stanzaOf is the interface whose stanza a statement is in: other keywords than options
// end a stanza.
func stanzaOf(s statement, now string) string {
	switch k := s.keyword(); {
	case k == "iface" && len(s.words) > 1:
		return s.words[1]
	case k == "auto" || strings.HasPrefix(k, "allow-") || slices.Contains([]string{"iface", "mapping", "source", "source-directory", "source-dir", "no-auto-down", "no-scripts", "rename", "template"}, k):
		return ""
	}
	return now
}

// sources are the patterns of the files that one names.
func sources(p, text string) []string {
	var list []string
	for _, s := range parseInterfaces(text) {
		if len(s.words) < 2 {
			continue
		}
		for _, w := range s.words[1:] {
			w = strings.Trim(w, `"'`)
			if !path.IsAbs(w) {
				w = path.Join(path.Dir(p), w)
			}
			switch s.words[0] {
			case "source":
				list = append(list, w)
			case "source-directory", "source-dir":
				list = append(list, path.Join(w, "*"))
			}
		}
	}
	return list
}

// inSource are the names that count in a source-directory.
var inSource = regexp.MustCompile(`^[a-zA-Z0-9_-]+$`)

// loadInterfaces reads all files of ifupdown, in the order in which they name each other.
func loadInterfaces(t Tree) []interfacesFile {
	var list []interfacesFile
	var load func(string)
	load = func(p string) {
		if t.Files[p] == nil || slices.ContainsFunc(list, func(f interfacesFile) bool { return f.path == p }) {
			return
		}
		at := len(list)
		list = append(list, interfacesFile{p, parseInterfaces(t.text(p))})
		for _, s := range list[at].statements {
			if strings.HasPrefix(s.keyword(), "source") {
				for _, q := range sourcedBy(t, p, s) {
					load(q)
				}
			}
		}
	}
	load(interfacesPath)
	return list
}

// firstStanza is the place of the stanza of an interface that ifupdown comes to first.
func firstStanza(t Tree, name string) string {
	return append(stanzasOf(t, name), "")[0]
}

// stanzasOf are the places of an interface's stanzas, in the order in which ifupdown comes
// to them: a file that is named is read where it is named.
func stanzasOf(t Tree, names ...string) (at []string) {
	seen := map[string]bool{}
	var walk func(string)
	walk = func(p string) {
		if seen[p] || t.Files[p] == nil {
			return
		}
		seen[p] = true
		for _, s := range parseInterfaces(t.text(p)) {
			switch k := s.keyword(); {
			case k == "iface" && s.iface != "" && slices.Contains(names, s.iface):
				at = append(at, placeAt(p, s.number))
			case strings.HasPrefix(k, "source"):
				for _, q := range sourcedBy(t, p, s) {
					walk(q)
				}
			}
		}
	}
	walk(interfacesPath)
	return at
}

// sourcedBy lists the files that a statement names.
func sourcedBy(t Tree, p string, s statement) []string {
	var found []string
	for _, pattern := range sources(p, s.raw) {
		for _, q := range t.globbed(pattern) {
			if s.keyword() == "source" || inSource.MatchString(path.Base(q)) {
				found = append(found, q)
			}
		}
	}
	return found
}

// globbed lists the files that a pattern of a shell stands for.
func (t Tree) globbed(pattern string) []string {
	var found []string
	for p := range t.Files {
		if ok, err := path.Match(pattern, p); err == nil && ok && (!strings.HasPrefix(path.Base(p), ".") || strings.HasPrefix(path.Base(pattern), ".")) {
			found = append(found, p)
		}
	}
	slices.Sort(found)
	return found
}

// isAlias reports whether a name is an interface's or that of a label of it, eth0:1.
func isAlias(word, name string) bool {
	return word == name || strings.HasPrefix(word, name+":")
}

// ifupdownHas reports whether there is a stanza of an interface other than one that
// leaves all to others, and where.
func ifupdownHas(t Tree, name string) (at string, has bool) {
	for _, f := range loadInterfaces(t) {
		for _, s := range f.statements {
			if s.keyword() == "iface" && len(s.words) > 1 && s.words[1] == name {
				return f.at(s), true
			}
		}
	}
	return "", false
}

// at is the place of a statement.
func (f interfacesFile) at(s statement) string { return placeAt(f.path, s.number) }
