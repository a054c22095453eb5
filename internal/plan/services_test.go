package plan_test

import (
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/rogpeppe/go-internal/txtar"

	"kvmnet/internal/plan"
	"kvmnet/internal/spec"
)

// TestGoldenServices reads a case from each file of testdata/services: have is the
// host, spec.json what is to run but for the stopped networks. The result is what
// is served.
func TestGoldenServices(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("testdata/services/*.txtar")
	if err != nil || len(files) < 10 {
		t.Fatalf("found %d cases: %v", len(files), err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txtar"), func(t *testing.T) {
			t.Parallel()
			goldenServices(t, file)
		})
	}
}

func goldenServices(t *testing.T, file string) {
	ar, in := readCase(t, file)
	m := newMachine()
	if err := m.observe(in["have"]); err != nil {
		t.Fatalf("have: %v", err)
	}
	s := readSpec(t, in["spec.json"])
	for _, name := range strings.Fields(in["stopped"]) {
		delete(s.Networks, name)
	}
	var got []string
	for _, service := range plan.Services(s, m.facts()) {
		got = append(got, service.Lines()...)
	}
	ar.Files = slices.DeleteFunc(ar.Files, func(f txtar.File) bool { return f.Name == "services" })
	ar.Files = append(ar.Files, txtar.File{Name: "services", Data: []byte(lines(got))})
	if *update {
		if err := os.WriteFile(file, txtar.Format(ar), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if diff := cmp.Diff(in["services"], lines(got)); diff != "" {
		t.Errorf("-want +got, go test -update rewrites:\n%s", diff)
	}
}

func TestOnePortCannotHoldASmallSubnet(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		address string
		written int
		want    int
	}{
		{"10.0.0.1/24", 0, 32}, {"10.0.0.1/26", 0, 30}, {"10.0.0.1/28", 0, 6}, {"10.0.0.1/30", 0, 1}, {"10.0.0.0/31", 0, 1},
		{"10.0.0.1/28", 100, 100}, {"10.0.0.1/28", -1, 0},
	} {
		s := &spec.Spec{Networks: map[string]*spec.Network{"lab": {Mode: spec.NAT, DHCP: &spec.NetworkDHCP{PerPort: c.written},
			Subnets: []spec.Subnet{{Address: netip.MustParsePrefix(c.address), DHCP: &spec.DHCP{}}}}}}
		if got := plan.Services(s, plan.Facts{})[0].DHCP4.PerPort; got != c.want {
			t.Errorf("%s, written %d: got %d, want %d", c.address, c.written, got, c.want)
		}
	}
}
