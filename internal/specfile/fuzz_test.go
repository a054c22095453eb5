package specfile

import (
	"net/netip"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/rogpeppe/go-internal/txtar"

	"kvmnet/internal/spec"
)

// equalSpecs compares Specs; an empty list is the same as none.
var equalSpecs = cmp.Options{cmpopts.EquateEmpty(), cmpopts.EquateComparable(spec.MAC{}, spec.LeaseRange{}, spec.Resolver{}, spec.AddrRange{}, spec.PortRange{}, spec.Listen{}, spec.Target{}, netip.Addr{}, netip.Prefix{})}

func FuzzParse(f *testing.F) {
	for _, pattern := range []string{"testdata/good/*.yaml", "testdata/bad/*.txtar"} {
		files, err := filepath.Glob(pattern)
		if err != nil {
			f.Fatal(err)
		}
		for _, name := range files {
			text, err := os.ReadFile(name)
			if err != nil {
				f.Fatal(err)
			}
			if filepath.Ext(name) == ".txtar" {
				text = txtar.Parse(text).Files[0].Data
			}
			f.Add(text)
		}
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		file, problems := Parse("fuzz.yaml", text)
		for _, p := range problems {
			if p.Message == "" || p.Line < 0 || p.Line > len(file.lines) {
				t.Fatalf("bad problem %+v", p)
			}
			_ = p.String()
		}
		all := file.Validate(nil)
		if len(problems) > len(all) {
			t.Fatalf("Validate loses problems of reading: %v, then %v", problems, all)
		}
		if len(all) > 0 {
			return
		}
		roundTrip(t, file.Spec)
		file.Spec.Default()
		if after := file.Spec.Validate(); after != nil {
			t.Fatalf("valid before Default, not after: %v", after)
		}
		roundTrip(t, file.Spec)
	})
}

// roundTrip formats a valid spec and expects to read back the same.
func roundTrip(t interface {
	Helper()
	Fatalf(string, ...any)
}, s *spec.Spec) {
	t.Helper()
	text := Format(s)
	again, problems := Parse("again.yaml", text)
	if len(problems) > 0 {
		t.Fatalf("formatted text is refused: %v\n%s", problems, text)
	}
	if diff := cmp.Diff(s, again.Spec, equalSpecs); diff != "" {
		t.Fatalf("round trip (-written +read):\n%s\n%s", diff, text)
	}
	if second := Format(again.Spec); string(second) != string(text) {
		t.Fatalf("formatting twice differs:\n%s\n%s", text, second)
	}
}
