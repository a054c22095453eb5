package libvirtxml

import (
	"reflect"
	"testing"

	"pgregory.net/rapid"

	"kvmnet/internal/spec"
	"kvmnet/internal/specfile"
	"kvmnet/internal/specfile/specgen"
)

// sound draws a network that keeps the rules: what breaks one is taken out.
func sound(t *rapid.T) *spec.Network {
	n := specgen.Network(t)
	for range 50 {
		problems := (&spec.Spec{Networks: map[string]*spec.Network{"lab": n}}).Validate()
		if len(problems) == 0 {
			return n
		}
		path := spec.Split(problems[len(problems)-1].Path)[2:]
		for len(path) > 0 && !removeAt(reflect.ValueOf(n).Elem(), path) {
			path = path[:len(path)-1]
		}
	}
	t.Skip("too many rules are broken")
	return nil
}

// written is a network as its YAML says it.
func written(n *spec.Network) string {
	return string(specfile.Format(&spec.Spec{Networks: map[string]*spec.Network{"lab": n}}))
}

func TestNetworksSurviveTheWayThroughXML(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		n := sound(t)
		n.Autostart = nil // libvirt has it beside the definition
		text := Of("lab", n).Format()
		f, err := Parse("lab.xml", []byte(text))
		if err != nil {
			t.Fatalf("%v\n%s", err, text)
		}
		if got, want := written(f.Spec.Networks["lab"]), written(n); got != want {
			t.Errorf("got\n%s\nwant\n%s\nby way of\n%s", got, want, text)
		}
	})
}
