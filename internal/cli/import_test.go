package cli

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"kvmnet/internal/api"
	"kvmnet/internal/spec"
)

// importer is a daemon that takes networks. The text of a definition is words: name,
// mode, bridge, subnet; and then what goes wrong: refused, note, hindered, unstartable.
type importer struct {
	*fake
	done      []string
	ctx       context.Context // of the commands
	interrupt func()          // called when a network is marked
}

func (f *importer) note(format string, args ...any) {
	f.done = append(f.done, fmt.Sprintf(format, args...))
}

func (f *importer) Define(_ context.Context, r api.DefineRequest) (api.Defined, error) {
	w := strings.Fields(r.Text)
	n := api.Defined{Network: api.Network{Name: w[0], Spec: &spec.Network{UUID: "uuid of " + w[0], Mode: spec.Mode(w[1]), Bridge: spec.BridgeSettings{Name: w[2]}}}}
	if w[3] != "-" {
		n.Spec.Subnets = []spec.Subnet{{Address: netip.MustParsePrefix(w[3])}}
	}
	if slices.Contains(w, "refused") {
		return api.Defined{}, &api.Error{Code: api.CodeConflict, Reason: api.ReasonBridgeTaken, Message: "bridge name '" + w[2] + "' already in use."}
	}
	if slices.Contains(w, "note") {
		n.Notes = []api.Problem{{File: r.Name, Line: 3, Column: 5, Message: "<vlan> is not supported here", Hint: "use a router", Text: "long"}}
	}
	if slices.Contains(w, "hindered") {
		n.Status.Problems = []string{"the interface " + w[2] + " exists already, and is not this network's"}
	}
	if r.DryRun {
		return n, nil
	}
	f.note("define %s", w[0])
	f.networks = append(f.networks, n.Network)
	if slices.Contains(w, "unstartable") {
		f.networks[len(f.networks)-1].Status.Problems = []string{"unstartable"}
	}
	return n, nil
}

func (f *importer) SetAutostart(_ context.Context, name string, on bool) error {
	f.note("autostart %s %v", name, on)
	if f.interrupt != nil {
		f.interrupt()
	}
	return nil
}

func (f *importer) ImportLeases(_ context.Context, name string, leases []api.Lease) ([]api.Lease, error) {
	f.note("leases %s %d", name, len(leases))
	return slices.DeleteFunc(leases, func(l api.Lease) bool { return l.Hostname == "stranger" }), nil
}

func (f *importer) Start(_ context.Context, name string) error {
	f.note("start %s", name)
	if n := f.find(name); len(n.Status.Problems) > 0 {
		return errors.New("start network " + name + ": it does not start")
	}
	return nil
}

func (f *importer) Undefine(_ context.Context, name string) error {
	f.note("undefine %s", name)
	f.networks = slices.DeleteFunc(f.networks, func(n api.Network) bool { return n.Name == name })
	return nil
}

// newImporter serves such a daemon, and answers how to run commands against it.
func newImporter(t *testing.T) (*importer, func(args ...string) (out, errs string, code int)) {
	t.Helper()
	f := &importer{fake: newFake(), ctx: t.Context()}
	dir, err := os.MkdirTemp("", "kvmnet-cli")
	if err != nil {
		t.Fatal(err)
	}
	l, err := api.Listen(filepath.Join(dir, "s"))
	if err != nil {
		t.Fatal(err)
	}
	srv, ended := &http.Server{Handler: api.Handler(f)}, make(chan struct{})
	go func() { srv.Serve(l); close(ended) }()
	t.Cleanup(func() { srv.Close(); <-ended; os.RemoveAll(dir) })
	return f, func(args ...string) (string, string, int) {
		var out, errs bytes.Buffer
		code := Run(f.ctx, append(args, "--socket", filepath.Join(dir, "s")), Options{Stdout: &out, Stderr: &errs})
		return out.String(), errs.String(), code
	}
}

// libvirtFiles are a libvirt of five networks.
func libvirtFiles(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	for name, text := range map[string]string{
		"default.xml":           "default nat virbr0 192.168.122.1/24",
		"autostart/default.xml": "",
		"lab.xml":               "lab nat virbr1 10.1.0.1/24 note hindered",
		"taken.xml":             "taken nat lab0 10.2.0.1/24 refused",
		"lan.xml":               "lan bridge br0 -",
		"bad.xml":               "bad nat virbr3 10.3.0.1/24 unstartable",
		"virbr0.status": `[{"ip-address": "192.168.122.5", "mac-address": "52:54:00:00:00:05"},
			{"ip-address": "192.168.122.6", "mac-address": "52:54:00:00:00:06", "hostname": "stranger"}, {}]`,
		"virbr1.status": "nonsense",
	} {
		path := filepath.Join(dir, name)
		os.MkdirAll(filepath.Dir(path), 0o755)
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// equal compares texts; DIR stands for the folder.
func equal(t *testing.T, what, got, want, dir string) {
	t.Helper()
	if got = strings.ReplaceAll(got, dir, "DIR"); got != want {
		t.Errorf("%s:\n%s\nwant:\n%s", what, got, want)
	}
}

const surveyed = `NAME     MODE    BRIDGE  SUBNETS           AUTOSTART  ACTIVE  LEASES  RESULT
bad      nat     virbr3  10.3.0.1/24       no         no      0       ready
default  nat     virbr0  192.168.122.1/24  yes        no      2       ready
lab      nat     virbr1  10.1.0.1/24       no         no      0       ready
lan      bridge  br0     -                 no         no      0       ready
taken    -       -       -                 no         no      0       conflict
note: network/default: lease 3 is left out: "" is not an address
note: network/lab: DIR/lab.xml:3:5: <vlan> is not supported here (use a router)
note: network/lab: its leases are not taken: read the leases of lab: DIR/virbr1.status: not a list of leases: invalid character 'o' in literal null (expecting 'u')
note: network/lab: the interface virbr1 exists already, and is not this network's
`

func TestImportWithoutNamesOnlyTells(t *testing.T) {
	f, run := newImporter(t)
	dir := libvirtFiles(t)
	out, errs, code := run("import", "libvirt", "--from", dir)
	equal(t, "out", out, surveyed+"note: network/taken: bridge name 'lab0' already in use.\nnothing was taken: name networks, or --all\n", dir)
	if errs != "" || code != 0 || len(f.done) > 0 {
		t.Errorf("%s, exit %d, done %q", errs, code, f.done)
	}
}

func TestImportDryRunTellsConflictsAsErrors(t *testing.T) {
	f, run := newImporter(t)
	dir := libvirtFiles(t)
	out, errs, code := run("import", "libvirt", "--from", dir, "--all", "--dry-run")
	equal(t, "out", out, surveyed+"nothing was taken (dry run)\n", dir)
	equal(t, "errors", errs, "kvmnet: network/taken is not taken: bridge name 'lab0' already in use.\n", dir)
	if code != 1 || len(f.done) > 0 {
		t.Errorf("exit %d, done %q", code, f.done)
	}
}

func TestImportTakesDefinitionsMarksAndLeases(t *testing.T) {
	f, run := newImporter(t)
	dir := libvirtFiles(t)
	out, errs, code := run("import", "libvirt", "--from", dir, "default", "lab")
	want := `NAME     MODE  BRIDGE  SUBNETS           AUTOSTART  ACTIVE  LEASES  RESULT
default  nat   virbr0  192.168.122.1/24  yes        no      1       imported
lab      nat   virbr1  10.1.0.1/24       no         no      0       imported
`
	if !strings.HasPrefix(out, want) || !strings.Contains(out, "1 lease not taken: their addresses are not the network's, or not free") || errs != "" || code != 0 {
		t.Errorf("exit %d\n%s%s", code, out, errs)
	}
	wantDone := []string{"define default", "autostart default true", "leases default 2", "define lab", "leases lab 0"}
	if !slices.Equal(f.done, wantDone) {
		t.Errorf("done %q, want %q", f.done, wantDone)
	}
	f.done = nil
	out, errs, code = run("import", "libvirt", "--from", dir, "default", "lab")
	if strings.Count(out, "already imported") != 2 || strings.Contains(out, "exists already") || errs != "" || code != 0 {
		t.Errorf("again, exit %d\n%s%s", code, out, errs)
	}
	if want := []string{"leases default 2", "leases lab 0"}; !slices.Equal(f.done, want) {
		t.Errorf("again, done %q, want %q", f.done, want)
	}
}

func TestImportIsTheWholeOfANetworkOrNothing(t *testing.T) {
	f, run := newImporter(t)
	out, errs, code := run("import", "libvirt", "--from", libvirtFiles(t), "bad", "lab", "lan", "--start")
	for name, result := range map[string]string{"bad": "conflict", "lab": "conflict", "lan": "started"} {
		if !slices.ContainsFunc(strings.Split(out, "\n"), func(l string) bool { return strings.HasPrefix(l, name+" ") && strings.HasSuffix(l, result) }) {
			t.Errorf("%s is not %s:\n%s", name, result, out)
		}
	}
	for _, want := range []string{"kvmnet: network/bad is not taken: start network bad: it does not start\n", "kvmnet: network/lab is not taken: the interface virbr1 exists already"} {
		if !strings.Contains(errs, want) {
			t.Errorf("no %q in\n%s", want, errs)
		}
	}
	want := []string{"define bad", "leases bad 0", "start bad", "undefine bad", "define lan", "leases lan 0", "start lan"}
	if code != 1 || !slices.Equal(f.done, want) {
		t.Errorf("exit %d, done %q", code, f.done)
	}
}

// A network that libvirt of this host runs, or starts at boot, says how to have it
// leave the network alone; virsh answers for it here.
func TestImportAgainStartsWhatDoesNotRunYet(t *testing.T) {
	f, run := newImporter(t)
	dir := libvirtFiles(t)
	run("import", "libvirt", "--from", dir, "lan", "lab", "bad")
	f.done = nil
	out, errs, code := run("import", "libvirt", "--from", dir, "lan", "lab", "bad", "--start")
	if code != 1 || !strings.Contains(errs, "network/bad does not start: start network bad") || !strings.Contains(errs, "network/lab does not start: the interface virbr1 exists") || !strings.Contains(out, "started") {
		t.Errorf("exit %d\n%s%s", code, out, errs)
	}
	if want := []string{"leases lan 0", "start lan", "leases bad 0", "start bad"}; !slices.Equal(f.done, want) {
		t.Errorf("done %q, want %q: what was imported before stays", f.done, want)
	}
	f.find("lan").Status.State = api.Running
	f.done = nil
	if out, errs, code := run("import", "libvirt", "--from", dir, "lan", "--start"); code != 0 || !strings.Contains(out, "already imported") || len(f.done) != 1 {
		t.Errorf("exit %d, done %q\n%s%s", code, f.done, out, errs)
	}
}

func TestImportTakesOneOfTwoFilesThatExcludeEachOther(t *testing.T) {
	for what, text := range map[string]string{"name": "lab nat virbr2 10.2.0.1/24", "bridge": "web nat virbr1 10.2.0.1/24"} {
		f, run := newImporter(t)
		dir := t.TempDir()
		for name, text := range map[string]string{"a.xml": "lab nat virbr1 10.1.0.1/24", "b.xml": text, "c.xml": "lan bridge virbr1 -"} {
			if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		want := "kvmnet: network/" + text[:3] + " is not taken: DIR/a.xml defines a network of this " + what + ", too\n"
		_, errs, code := run("import", "libvirt", "--from", dir, "--all", "--dry-run")
		equal(t, "errors of a dry run", errs, want, dir)
		if code != 1 || f.done != nil {
			t.Errorf("a dry run: exit %d, done %q", code, f.done)
		}
		_, errs, code = run("import", "libvirt", "--from", dir, "--all")
		equal(t, "errors", errs, want, dir)
		if want := []string{"define lab", "leases lab 0", "define lan", "leases lan 0"}; code != 1 || !slices.Equal(f.done, want) {
			t.Errorf("exit %d, done %q", code, f.done)
		}
	}
}

// A file that cannot be read is an error where its network is meant.
func TestImportOfOneNetworkDoesNotMindTheFilesOfOthers(t *testing.T) {
	_, run := newImporter(t)
	dir := libvirtFiles(t)
	if err := os.Symlink("nowhere", filepath.Join(dir, "dangling.xml")); err != nil {
		t.Fatal(err)
	}
	if out, errs, code := run("import", "libvirt", "--from", dir, "lan"); code != 0 || errs != "" || !strings.Contains(out, "imported") {
		t.Errorf("exit %d\n%s%s", code, out, errs)
	}
	for _, args := range [][]string{{"dangling"}, {"--all"}} {
		if _, errs, code := run(append([]string{"import", "libvirt", "--from", dir}, args...)...); code != 1 || !strings.Contains(errs, "read the definition of dangling: ") || strings.Contains(errs, "installed") {
			t.Errorf("%v: exit %d\n%s", args, code, errs)
		}
	}
}

// Ctrl-C between two steps leaves no half of a network.
func TestImportThatIsInterruptedTakesTheDefinitionBack(t *testing.T) {
	f, run := newImporter(t)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	f.ctx, f.interrupt = ctx, cancel
	out, errs, code := run("import", "libvirt", "--from", libvirtFiles(t), "default", "lan")
	if !strings.Contains(out, "lan      bridge  br0     -                 no         no      0       ready\n") || strings.Contains(errs, "network/lan") {
		t.Errorf("what was not begun:\n%s%s", out, errs)
	}
	if want := []string{"define default", "autostart default true", "undefine default"}; code == 0 || !slices.Equal(f.done, want) {
		t.Errorf("exit %d, done %q\n%s", code, f.done, errs)
	}
}

func TestImportShowsAFewSubnetsOfMany(t *testing.T) {
	t.Parallel()
	c := candidate{Subnets: []string{"a", "b", "c"}}
	for n, want := range []string{"a,b,c", "a,b,+2"} {
		if got := c.row(false)[3]; got != want {
			t.Errorf("%d: %s, want %s", n, got, want)
		}
		c.Subnets = append(c.Subnets, "d")
	}
	if got := c.row(true)[3]; got != "a,b,c,d,d" {
		t.Errorf("wide: %s", got)
	}
}

func TestImportTellsHowToStopLibvirt(t *testing.T) {
	_, run := newImporter(t)
	dir := t.TempDir()
	script := `#!/bin/sh
while case $1 in --connect) true;; *) false;; esac; do shift 2; done
case $1 in
net-list) echo lab;;
net-dumpxml) echo lab nat virbr1 10.1.0.1/24 hindered;;
net-info) echo Active: yes; echo Autostart: yes;;
net-dhcp-leases) echo; echo;;
esac
`
	if err := os.WriteFile(filepath.Join(dir, "virsh"), []byte(script), 0o755); err != nil {
		t.Fatal(err)
	}
	t.Setenv("PATH", dir+":"+os.Getenv("PATH"))
	way := "before it starts here, have libvirt leave it alone: virsh net-destroy lab; virsh net-autostart --disable lab"
	for _, c := range []struct {
		args []string
		told bool
	}{
		{[]string{"--virsh"}, true},
		{[]string{"--connect", "qemu:///system"}, true},
		{[]string{"--connect", "qemu+ssh://old/system"}, false},
	} {
		out, errs, code := run(append([]string{"import", "libvirt"}, c.args...)...)
		if strings.Contains(out, way) != c.told || code != 0 {
			t.Errorf("%q: exit %d\n%s%s", c.args, code, out, errs)
		}
	}
}

func TestImportSaysWhatItCannotDo(t *testing.T) {
	_, run := newImporter(t)
	dir := libvirtFiles(t)
	for _, c := range []struct {
		args []string
		code int
		want string
	}{
		{[]string{"--from", dir, "nix"}, 1, "libvirt has no network nix; it has bad, default, lab, lan, taken"},
		{[]string{"--from", filepath.Join(dir, "nix")}, 1, "look for libvirt's networks: open " + dir + "/nix: no such file or directory; is libvirt installed here?"},
		{[]string{"--from", dir, "--all", "lab"}, 2, `unexpected argument "lab" beside --all`},
		{[]string{"--from", dir, "--start"}, 2, "name the networks to start, or --all"},
		{[]string{"--from", dir, "--virsh"}, 2, "from virsh"},
	} {
		if _, errs, code := run(append([]string{"import", "libvirt"}, c.args...)...); code != c.code || !strings.Contains(errs, c.want) {
			t.Errorf("%q: exit %d, %s", c.args, code, errs)
		}
	}
	out, errs, code := run("import", "libvirt", "--from", t.TempDir(), "--all")
	equal(t, "an empty folder", fmt.Sprint(out, errs, code), "libvirt has no networks\n0", dir)
}

func TestImportPrintsJSONAndNames(t *testing.T) {
	_, run := newImporter(t)
	dir := libvirtFiles(t)
	out, _, _ := run("import", "libvirt", "--from", dir, "-o", "json")
	if err := isJSON(out); err != nil || !strings.Contains(out, `"result": "ready"`) {
		t.Errorf("%v\n%s", err, out)
	}
	out, _, _ = run("import", "libvirt", "--from", dir, "-q")
	equal(t, "quiet", out, "bad\ndefault\nlab\nlan\ntaken\n", dir)
}

func TestImportDefaultLeavesOneThatIsThereAlone(t *testing.T) {
	f, run := newImporter(t)
	f.networks = append(f.networks, api.Network{Name: "default", Spec: &spec.Network{}})
	out, errs, code := run("import", "default")
	equal(t, "out", fmt.Sprint(out, errs, code), "network/default exists and is left alone\n0", "/nowhere")
}

func TestDefaultNetworkIsThatOfLibvirt(t *testing.T) {
	t.Parallel()
	equal(t, "XML", defaultXML(netip.MustParsePrefix("192.168.124.1/24")), `<network>
  <name>default</name>
  <forward mode='nat'/>
  <ip address='192.168.124.1' netmask='255.255.255.0'>
    <dhcp>
      <range start='192.168.124.2' end='192.168.124.254'/>
    </dhcp>
  </ip>
</network>
`, "/nowhere")
}

func TestExportIsAThinNetworkOfLibvirt(t *testing.T) {
	_, run := newImporter(t)
	out, errs, code := run("export", "libvirt", "lab")
	equal(t, "lab", fmt.Sprint(out, errs, code), "<network>\n  <name>lab</name>\n  <forward mode='bridge'/>\n  <bridge name='lab0'/>\n</network>\n0", "/nowhere")
	if _, errs, code = run("export", "libvirt", "nix"); code != 1 || !strings.Contains(errs, "no network named nix") {
		t.Errorf("exit %d, %s", code, errs)
	}
	for want, n := range map[string]*spec.Network{
		"  <forward mode='bridge'/>\n  <bridge name='b&amp;r'/>\n":                                            {Mode: spec.Bridge, Bridge: spec.BridgeSettings{Name: "b&r"}},
		"  <forward mode='bridge'/>\n  <bridge name='red0'/>\n  <port isolated='yes'/>\n":                     {Mode: spec.Isolated, Bridge: spec.BridgeSettings{Name: "red0"}, Isolated: true},
		"  <forward mode='bridge'>\n    <interface dev='eth1'/>\n    <interface dev='eth2'/>\n  </forward>\n": {Mode: spec.Bridge, Direct: &spec.Direct{Devices: []string{"eth1", "eth2"}}},
		"  <forward mode='passthrough'>\n    <interface dev='eth1'/>\n  </forward>\n":                         {Mode: spec.Bridge, Direct: &spec.Direct{Mode: spec.DirectPassthrough, Devices: []string{"eth1"}}},
	} {
		equal(t, "thin", thinXML("x", n), "<network>\n  <name>x</name>\n"+want+"</network>\n", "/nowhere")
	}
}
