package libvirtxml

import (
	"errors"
	"testing"
)

// A network is kept as a spec: an update of it is one of the document that is made of
// that, which has to come out as on the document itself.
func TestUpdatesOfWhatIsKeptAsASpecDoTheSame(t *testing.T) {
	for _, s := range scripts(t, "update") {
		for _, step := range s.steps {
			n := throughSpec(t, s.network)
			var e *Error
			if errors.As(n.Update(step.update()), &e) {
				step.did(t, s.path, outcome(e.Message, "", ""))
				continue
			}
			after := n.Format()
			step.did(t, s.path, outcome("", s.network, after))
			if again := throughSpec(t, after).Format(); again != after {
				t.Errorf("%s: %s leaves\n%s\nand that comes back as\n%s", s.path, step.line, after, again)
			}
		}
	}
}

// throughSpec is what a document is after it was kept as a spec.
func throughSpec(t *testing.T, text string) *Network {
	t.Helper()
	f, err := Parse("network.xml", []byte(text))
	if err != nil {
		t.Fatalf("%v\n%s", err, text)
	}
	for name, n := range f.Spec.Networks {
		return Of(name, n)
	}
	t.Fatalf("no network in\n%s", text)
	return nil
}
