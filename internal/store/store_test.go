package store

import (
	"maps"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"kvmnet/internal/spec"
)

func open(t *testing.T) (*Store, Dirs) {
	t.Helper()
	root := t.TempDir()
	d := Dirs{Config: filepath.Join(root, "etc"), State: filepath.Join(root, "var"), Runtime: filepath.Join(root, "run")}
	s, err := Open(d)
	if err != nil {
		t.Fatal(err)
	}
	return s, d
}

func network(title string) *spec.Network {
	return &spec.Network{Mode: spec.NAT, Title: title, Bridge: spec.BridgeSettings{Name: "lab"},
		Subnets: []spec.Subnet{{Address: netip.MustParsePrefix("10.2.0.1/24")}}}
}

func lab(title string) *spec.Spec {
	return &spec.Spec{Networks: map[string]*spec.Network{"lab": network(title)},
		Bridges: map[string]*spec.HostBridge{"br0": {Ports: []string{"eth0"}}},
		Ports:   map[string]*spec.Port{"vm1": {Network: "lab", Type: spec.Tap, Interface: "vm1", MAC: spec.GenerateMAC("vm1")}},
		Routers: map[string]*spec.Router{"r1": {
			Uplink:     &spec.Uplink{Bridge: "br0", DHCP: true},
			Interfaces: []spec.Interface{{Network: "red", Name: "eth0", Address: "10.3.0.1/24", Egress: spec.EgressMasquerade}}}},
		Forwards: map[string]*spec.Forward{"web": {Network: "lab", Protocol: spec.TCP,
			Listen: spec.Listen{Ports: spec.PortRange{From: 8080, To: 8080}}, To: spec.Target{Name: "vm1", Port: 80}}},
		Policies: map[string]*spec.Policy{"open": {From: "lab", To: "set/office", Priority: spec.DefaultPriority, Allow: []spec.Traffic{{}}}},
		Sets:     map[string]*spec.AddressSet{"office": {Addresses: "192.0.2.0/24"}}}
}

var same = cmpopts.EquateComparable(netip.Prefix{}, netip.Addr{})

func TestDefinedReturnsWhatWasDefined(t *testing.T) {
	t.Parallel()
	s, d := open(t)
	if err := s.Define(lab("one")); err != nil {
		t.Fatal(err)
	}
	again, err := Open(d) // another process
	if err != nil {
		t.Fatal(err)
	}
	for _, st := range []*Store{s, again} {
		got, err := st.Defined()
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(lab("one"), got, same); diff != "" {
			t.Errorf("-want +got:\n%s", diff)
		}
	}
}

func TestDefinedAndRunningAreApart(t *testing.T) {
	t.Parallel()
	s, _ := open(t)
	check(t, s.Define(lab("next")))
	check(t, s.Run(&spec.Spec{Networks: map[string]*spec.Network{"lab": network("live")}}))
	defined, _ := s.Defined()
	running, _ := s.Running()
	if defined.Networks["lab"].Title != "next" || running.Networks["lab"].Title != "live" {
		t.Errorf("defined %q, running %q", defined.Networks["lab"].Title, running.Networks["lab"].Title)
	}
	check(t, s.Stop("networks", "lab"))
	if running, _ = s.Running(); len(running.Networks) > 0 {
		t.Error("still running after Stop")
	}
	check(t, s.Undefine("networks", "lab"))
	check(t, s.Undefine("networks", "lab")) // not there any more is not an error
	if defined, _ = s.Defined(); len(defined.Networks) > 0 || len(defined.Ports) != 1 {
		t.Errorf("after Undefine: %d networks, %d ports", len(defined.Networks), len(defined.Ports))
	}
}

func TestHandEditsAreSeen(t *testing.T) {
	t.Parallel()
	s, d := open(t)
	check(t, s.Define(lab("one")))
	path := filepath.Join(d.Config, "networks", "lab.yaml")
	edit := func(old, now string) {
		t.Helper()
		text, err := os.ReadFile(path)
		check(t, err)
		check(t, os.WriteFile(path+".edit", []byte(strings.Replace(string(text), old, now, 1)), 0o644))
		check(t, os.Rename(path+".edit", path))
	}
	s.Defined()
	edit("title: one", "title: two") // the same size
	if got, err := s.Defined(); err != nil || got.Networks["lab"].Title != "two" {
		t.Errorf("title %q, %v", got.Networks["lab"].Title, err)
	}
	check(t, os.WriteFile(filepath.Join(d.Config, "networks", "new.yaml"), []byte("networks: {new: {mode: isolated}}\n"), 0o644))
	got, err := s.Defined()
	check(t, err)
	if n := got.Networks["new"]; n == nil || n.Bridge.Name != "new" {
		t.Errorf("a file written by hand gives %+v", n)
	}
}

func TestBrokenFileHidesNoOther(t *testing.T) {
	t.Parallel()
	s, d := open(t)
	check(t, s.Define(lab("one")))
	check(t, os.WriteFile(filepath.Join(d.Config, "networks", "bad.yaml"), []byte("networks: {bad: {mode: natt}, x: [\n"), 0o644))
	got, err := s.Defined()
	if err == nil || !strings.Contains(err.Error(), "bad.yaml:") {
		t.Errorf("error %v names no file and line", err)
	}
	if got == nil || got.Networks["lab"] == nil {
		t.Error("the good definition is gone")
	}
}

func TestWritesLeaveNoTemporaryFiles(t *testing.T) {
	t.Parallel()
	s, d := open(t)
	for _, title := range []string{"one", "two", "two", "three"} {
		check(t, s.Define(lab(title)))
	}
	check(t, s.Borrow(map[string]string{"a": "1"}))
	filepath.WalkDir(d.Config, func(path string, e os.DirEntry, err error) error {
		if strings.HasPrefix(e.Name(), ".") {
			t.Errorf("left %s", path)
		}
		return err
	})
	if st, err := os.Stat(filepath.Join(d.Config, "networks", "lab.yaml")); err != nil || st.Mode().Perm() != 0o644 {
		t.Errorf("definition has mode %v, %v", st.Mode(), err)
	}
}

// A crash between the write and the rename leaves a temporary file, which is
// no definition.
func TestTemporaryFilesAreNoDefinitions(t *testing.T) {
	t.Parallel()
	s, d := open(t)
	check(t, os.WriteFile(filepath.Join(d.Config, "networks", ".new-123"), []byte("networks: {half"), 0o600))
	if got, err := s.Defined(); err != nil || !got.Empty() {
		t.Errorf("got %+v, %v", got, err)
	}
}

func TestBorrowedSurvivesAndEnds(t *testing.T) {
	t.Parallel()
	s, d := open(t)
	want := map[string]string{"net/ipv4/conf/eth0/forwarding": "0"}
	check(t, s.Borrow(want))
	again, err := Open(d)
	check(t, err)
	if got, err := again.Borrowed(); err != nil || !maps.Equal(got, want) {
		t.Errorf("got %v, %v", got, err)
	}
	check(t, again.Borrow(nil))
	if got, err := s.Borrowed(); err != nil || len(got) != 0 {
		t.Errorf("got %v, %v after giving back", got, err)
	}
}

// A record that cannot be read must stop the loop, not pass for an empty one:
// the values of the host would be lost.
func TestBrokenRecordIsAnError(t *testing.T) {
	t.Parallel()
	s, d := open(t)
	check(t, os.WriteFile(filepath.Join(d.Runtime, "borrowed.json"), []byte(`{"net/`), 0o644))
	if _, err := s.Borrowed(); err == nil || !strings.Contains(err.Error(), "borrowed.json") {
		t.Errorf("got %v", err)
	}
}

func TestFirstSinceBootIsTrueUntilBooted(t *testing.T) {
	t.Parallel()
	s, d := open(t)
	first := func(want bool) {
		t.Helper()
		if got, err := s.FirstSinceBoot(); err != nil || got != want {
			t.Errorf("first since boot: %v, %v", got, err)
		}
	}
	first(true)
	first(true) // a start that did not get to the end counts for nothing
	check(t, s.Booted())
	first(false)
	check(t, s.Booted())
	check(t, os.RemoveAll(d.Runtime)) // what a boot does to /run
	s, err := Open(d)
	check(t, err)
	first(true)
}

func TestHostIDIsMadeOnce(t *testing.T) {
	t.Parallel()
	s, d := open(t)
	one, err := s.HostID()
	check(t, err)
	again, err := Open(d)
	check(t, err)
	if two, err := again.HostID(); err != nil || two != one || len(one) != 32 {
		t.Errorf("%q, then %q, %v", one, two, err)
	}
}

func check(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func TestUnreadableObjectsAreNamedAsKernelObjectsAre(t *testing.T) {
	t.Parallel()
	s, d := open(t)
	want := map[string]bool{}
	for _, kind := range spec.Kinds {
		check(t, os.WriteFile(filepath.Join(d.Config, kind, "x.yaml"), []byte(kind+": {x: [\n"), 0o644))
		want[spec.Singular(kind)+"/x"] = true
	}
	_, err := s.Defined()
	joined, ok := err.(interface{ Unwrap() []error })
	if !ok || len(joined.Unwrap()) != len(spec.Kinds) {
		t.Fatalf("got %v", err)
	}
	for _, one := range joined.Unwrap() {
		if u, ok := one.(*Unreadable); !ok || !want[u.Owner()] {
			t.Errorf("got %v", one)
		}
	}
	if !want["policy/x"] || !want["router/x"] {
		t.Errorf("the owners are %v", want)
	}
}
