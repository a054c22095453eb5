package libvirtxml

import (
	"fmt"
	"strings"
)

// note is something to tell about a document: an element that has no effect here, or
// another than one may think.
type note struct {
	place   string // ip[0]/dhcp/range[1]@start
	message string
	hint    string
}

// say adds a note.
func (t *translation) say(place, hint, format string, args ...any) {
	t.notes = append(t.notes, note{place, fmt.Sprintf(format, args...), hint})
}

// lacking tells of what kvmnet does not do. It is kept, and dumped again.
func (t *translation) lacking(place, because string) {
	t.say(place, "", "%s is kept, but not supported here, because %s", thing(place), because)
}

// leftOut says that a value was left out, and why.
func (t *translation) leftOut(place, because string) {
	t.say(place, "", "%s is kept, but has no effect here, because %s", thing(place), because)
}

// thing names the element or the attribute at a place: <vlan>, zone of <bridge>.
func thing(place string) string {
	path, attribute, has := strings.Cut(place, "@")
	name := path[strings.LastIndexByte(path, '/')+1:]
	name, _, _ = strings.Cut(name, "[")
	if name == "" {
		name = "network"
	}
	if has {
		return fmt.Sprintf("%s of <%s>", attribute, name)
	}
	return "<" + name + ">"
}
