package libvirtxml

import (
	"errors"
	"testing"
)

// FuzzUpdate makes updates on a network that has something in every section: it must
// not panic, a failure must change nothing, and what a success leaves must be a
// network.
func FuzzUpdate(f *testing.F) {
	files := scripts(f, "update")
	for i, s := range files {
		for _, step := range s.steps {
			u := step.update()
			f.Add(i, u.Command, u.Section, u.Parent, u.XML)
		}
	}
	f.Fuzz(func(t *testing.T, i int, command, section string, parent int, xml string) {
		before := files[uint(i)%uint(len(files))].network
		n := read(t, before)
		if err := n.Update(Update{Command: command, Section: section, Parent: parent, XML: xml}); err != nil {
			if e := (*Error)(nil); !errors.As(err, &e) || e.Message == "" {
				t.Fatalf("%#v tells nothing", err)
			}
			if n.Format() != before {
				t.Fatalf("%v, and yet\n%s", err, n.Format())
			}
			return
		}
		after := n.Format()
		again := read(t, after)
		if err := again.Check(); err != nil {
			t.Fatalf("%v\n%s", err, after)
		}
		if dump := again.Format(); dump != settled(after) {
			t.Fatalf("%s\nis read again as\n%s", after, dump)
		}
	})
}
