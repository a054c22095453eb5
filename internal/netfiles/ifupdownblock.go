package netfiles

import (
	"slices"
	"strings"
)

// block is a stanza of ifupdown: its first statement and its options, with the comments
// between them.
type block struct {
	file       interfacesFile
	statements []statement
}

// blocksOf are the stanzas of interfaces, in the order in which ifupdown comes to them.
func blocksOf(t Tree, files []interfacesFile, names ...string) []block {
	var list []block
	for _, at := range stanzasOf(t, names...) {
		for _, f := range files {
			for k, s := range f.statements {
				if f.at(s) == at {
					list = append(list, f.block(k))
				}
			}
		}
	}
	return list
}

// block is the stanza that begins with a statement.
func (f interfacesFile) block(at int) block {
	end := at + 1
	for k := end; k < len(f.statements) && (f.statements[k].words == nil || f.statements[k].option()); k++ {
		if f.statements[k].words != nil {
			end = k + 1
		}
	}
	return block{f, f.statements[at:end]}
}

// at is the place of the stanza.
func (b block) at() string { return b.file.at(b.statements[0]) }

func (b block) iface() string { return b.statements[0].iface }

// family and method are the words behind the name.
func (b block) family() string { return append(slices.Clone(b.statements[0].words), "", "", "")[2] }
func (b block) method() string { return append(slices.Clone(b.statements[0].words), "", "", "")[3] }

// options are the statements behind the first, without comments.
func (b block) options() []statement {
	return slices.DeleteFunc(slices.Clone(b.statements[1:]), func(s statement) bool { return s.words == nil })
}

// option is one by its name, which may be written with dashes.
func (b block) option(key string) (statement, bool) {
	for _, s := range b.options() {
		if strings.ReplaceAll(s.keyword(), "-", "_") == key {
			return s, true
		}
	}
	return statement{}, false
}

// value is what an option says, "" when there is none.
func (b block) value(key string) string {
	s, _ := b.option(key)
	return s.value()
}

// indent is that of the options.
func (b block) indent() string {
	for _, s := range b.options() {
		if at := s.raw[:len(s.raw)-len(strings.TrimLeft(s.raw, " \t"))]; at != "" {
			return at
		}
	}
	return "    "
}
