package fences

import (
	"encoding/json"
	"errors"
	"io"
	"maps"
	"os/exec"
	"path"
	"slices"
	"strings"
	"testing"
)

// module is the prefix of our own import paths.
const module = "kvmnet/"

// rooms says which rooms of ours each room may import. A room that is not in the
// table fails the test: add it, and say what it may import.
var rooms = map[string][]string{
	// Pure: the standard library and each other.
	"internal/spec":    {},
	"internal/plan":    {"spec"},
	"internal/xmltree": {},

	// Edges and shells.
	"internal/specfile":    {"spec"},
	"internal/libvirtxml":  {"spec", "specfile", "xmltree"},
	"internal/libvirthost": {"spec", "api"},
	"internal/netns":       {},
	"internal/kernel":      {"plan", "spec", "netns"},
	"internal/nft":         {"plan", "spec", "netns"},
	"internal/conntrack":   {"plan", "netns"},
	"internal/store":       {"specfile", "spec"},
	"internal/reconcile":   {"plan", "kernel", "nft", "spec", "netns"},
	"internal/manage":      {"doctor", "spec", "specfile", "libvirtxml", "store", "reconcile", "plan", "api", "verify", "netns", "lease", "hostname"},

	// Services for guests: a room a protocol, none of which knows another, and one
	// that opens their sockets.
	"internal/hostname":              {}, // pure, like pace
	"internal/pace":                  {},
	"internal/lockdir":               {},
	"internal/lease":                 {"spec", "plan", "lockdir"},
	"internal/socket":                {"spec", "netns"},
	"internal/dhcp4":                 {"spec", "plan", "lease", "socket", "hostname", "pace"},
	"internal/dhcp6":                 {"spec", "plan", "lease", "socket", "hostname", "pace"},
	"internal/radv":                  {"spec", "plan", "socket"},
	"internal/dns":                   {"spec", "plan", "socket", "netns"},
	"internal/tftp":                  {"plan", "netns"},
	"internal/resolved":              {"netns"},
	"internal/resolved/resolvedtest": {"nstest", "testhost"}, // imports testing: only tests import it
	"internal/serve":                 {"spec", "plan", "lease", "socket", "dhcp4", "dhcp6", "radv", "dns", "tftp", "resolved", "kernel", "netns"},

	// What routers need on their uplinks.
	"internal/announce":   {"plan", "socket", "netns"},
	"internal/dhcpclient": {"plan", "spec", "socket", "netns"},

	// The contract and its client.
	"internal/api":      {"spec"},
	"internal/handover": {"api", "spec"},
	"internal/cli":      {"api", "handover", "spec", "xpath", "libvirthost"},

	// The host's own interfaces.
	"internal/doctor":   {"api", "netns", "plan", "spec"},
	"internal/hostlink": {"netns", "spec"},
	"internal/netfiles": {"spec", "specfile"},
	"internal/confirm":  {"lockdir"},
	"internal/hostnet":  {"api", "confirm", "hostlink", "libvirtxml", "netfiles", "netns", "spec", "specfile"},

	// Pure but for the engine of expressions.
	"internal/xpath": {"xmltree"},

	// Test hosts, which also serve verify and the demo.
	"internal/testhost":      {"netns", "spec"},
	"internal/qemuguest":     {"testhost", "netns", "spec"},
	"internal/verify":        {"verify/client", "testhost", "spec", "api", "netns"},
	"internal/verify/client": {"testhost", "spec", "netns"},
	"internal/lab":           {"verify/client", "testhost", "qemuguest", "api", "spec", "specfile", "netns", "examples"},
	"internal/nstest":        {"netns", "spec", "testhost"},                                                  // imports testing: only tests import it
	"internal/daemontest":    {"api", "daemon", "netns", "nstest", "plan", "reconcile", "specfile", "store"}, // the same
	"internal/proof":         {},                                                                             // tests only
	"internal/packaged":      {},                                                                             // the same
	"internal/captured":      {},                                                                             // the same
	"internal/peers":         {"netns", "spec", "testhost", "qemuguest", "nstest"},                           // the same

	// Specs for tests of any room; imports rapid: only tests import it.
	"internal/specfile/specgen": {"spec"},

	// Wiring. The daemon may import every room but cli and lab.
	"internal/daemon": {
		"announce", "api", "confirm", "conntrack", "dhcpclient", "dns", "doctor", "handover", "hostnet", "kernel", "lease", "manage", "netns", "nft", "plan", "qemuguest", "reconcile", "resolved", "serve", "spec", "specfile",
		"store", "testhost", "verify",
	},
	"cmd/kvmnet":    {"cli", "confirm", "daemon", "hostnet", "lab", "netns", "resolved"},
	"packaging/gen": {"cli"},

	"examples":        {}, // files, embedded
	"internal/fences": {},
}

// outside says who may import a module that is not ours, where that is limited.
// cli writes YAML for -o yaml; netfiles edits netplan's files with their comments.
var outside = map[string][]string{
	"go.yaml.in/yaml/":               {"internal/specfile", "internal/cli", "internal/netfiles"},
	"github.com/spf13/cobra":         {"internal/cli", "cmd/kvmnet", "packaging/gen"},
	"github.com/spf13/cobra/doc":     {"packaging/gen"}, // brings a renderer of Markdown along
	"github.com/cpuguy83/go-md2man":  {"packaging/gen"},
	"github.com/antchfx/xpath":       {"internal/xpath"},
	"github.com/vishvananda/netlink": {"internal/kernel", "internal/netns", "internal/testhost", "internal/nstest", "internal/verify", "internal/lab", "internal/peers", "internal/conntrack", "internal/hostnet"},
	"github.com/google/nftables":     {"internal/nft"},
	"github.com/insomniacslk/dhcp":   {"internal/dhcp4", "internal/dhcp6", "internal/dhcpclient", "internal/peers"},
	"github.com/mdlayher/ndp":        {"internal/radv"},
	"github.com/miekg/dns":           {"internal/dns"},
	"github.com/pin/tftp":            {"internal/tftp"},
	"github.com/godbus/dbus":         {"internal/resolved"},
}

// pure rooms import the standard library and the rooms of the table only.
var pure = []string{"internal/spec", "internal/plan", "internal/xmltree", "internal/hostname", "internal/pace"}

// vague names tell nothing about what is inside.
var vague = []string{"util", "utils", "common", "helper", "helpers", "misc", "shared", "base"}

// pkg is what go list tells of a package.
type pkg struct {
	ImportPath, Name, Doc              string
	GoFiles                            []string
	Imports, TestImports, XTestImports []string
}

func (p pkg) room() string { return strings.TrimPrefix(p.ImportPath, module) }

// list asks the go command for our packages. One that does not build is listed,
// too: its imports are what counts here.
func list(t *testing.T) []pkg {
	t.Helper()
	cmd := exec.Command("go", "list", "-e", "-json=ImportPath,Name,Doc,GoFiles,Imports,TestImports,XTestImports", "./...")
	cmd.Dir = "../.."
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("go list: %v", err)
	}
	var pkgs []pkg
	for d := json.NewDecoder(strings.NewReader(string(out))); ; {
		var p pkg
		if err := d.Decode(&p); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			t.Fatal(err)
		}
		pkgs = append(pkgs, p)
	}
	if len(pkgs) < 2 {
		t.Fatalf("go list found %d packages", len(pkgs))
	}
	return pkgs
}

func TestRoomsImportWhatTheTableAllows(t *testing.T) {
	t.Parallel()
	for _, p := range list(t) {
		for _, breach := range breaches(p) {
			t.Error(breach)
		}
	}
}

// breaches lists what a package imports against the fences.
func breaches(p pkg) []string {
	allowed, known := rooms[p.room()]
	if !known {
		return []string{p.room() + " is a new package: add it to the table, and say what it may import"}
	}
	var found []string
	for _, i := range p.Imports {
		own, ours := strings.CutPrefix(i, module)
		switch {
		case ours && !slices.Contains(allowed, strings.TrimPrefix(own, "internal/")):
			found = append(found, p.room()+" imports "+own+", which the table does not allow")
		case !ours && strings.Contains(i, ".") && slices.Contains(pure, p.room()):
			found = append(found, p.room()+" is pure, and imports "+i)
		case !ours:
			found = append(found, trespasses(p, i)...)
		}
	}
	for _, i := range slices.Concat(p.TestImports, p.XTestImports) {
		if strings.HasPrefix(i, module+"cmd/") {
			found = append(found, "a test of "+p.room()+" imports "+i+": nothing imports a command")
		}
	}
	return found
}

func trespasses(p pkg, imported string) []string {
	for prefix, users := range outside {
		if strings.HasPrefix(imported, prefix) && !slices.Contains(users, p.room()) {
			return []string{p.room() + " imports " + imported + ", which is for " + strings.Join(users, " and ")}
		}
	}
	return nil
}

func TestRoomsSayWhatTheyAre(t *testing.T) {
	t.Parallel()
	for _, p := range list(t) {
		for _, fault := range faults(p) {
			t.Error(fault)
		}
	}
}

// faults lists what is wrong with a package's name and documentation.
func faults(p pkg) []string {
	var found []string
	if slices.Contains(vague, path.Base(p.ImportPath)) || slices.Contains(vague, p.Name) {
		found = append(found, p.room()+": the name tells nothing about what is inside")
	}
	if strings.HasPrefix(p.room(), "internal/") && !slices.Contains(p.GoFiles, "doc.go") {
		found = append(found, p.room()+" has no doc.go")
	}
	if !strings.HasPrefix(p.Doc, "Package "+p.Name+" ") && p.Name != "main" {
		found = append(found, p.room()+` has no comment "Package `+p.Name+` …"`)
	}
	return found
}

// TestTableHasNoCycle: nothing points back, in the table already.
func TestTableHasNoCycle(t *testing.T) {
	t.Parallel()
	var visit func(room string, way []string)
	visit = func(room string, way []string) {
		if slices.Contains(way, room) {
			t.Fatalf("the table has a cycle: %s", strings.Join(append(way, room), " → "))
		}
		for _, next := range rooms[room] {
			if _, ok := rooms["internal/"+next]; ok {
				next = "internal/" + next
			} else if _, ok := rooms[next]; !ok {
				t.Errorf("%s may import %s, which is not in the table", room, next)
			}
			visit(next, append(slices.Clone(way), room))
		}
	}
	for _, room := range slices.Sorted(maps.Keys(rooms)) {
		visit(room, nil)
	}
}

// TestFencesHold shows that each fence stops what it is for.
func TestFencesHold(t *testing.T) {
	t.Parallel()
	in := func(room string, imports ...string) pkg { return pkg{ImportPath: module + room, Imports: imports} }
	for name, c := range map[string]struct {
		p    pkg
		want string
	}{
		"unknown room":          {in("internal/dish"), "internal/dish is a new package: add it to the table, and say what it may import"},
		"pure room, shell":      {in("internal/plan", "kvmnet/internal/kernel"), "internal/plan imports internal/kernel, which the table does not allow"},
		"pure room, library":    {in("internal/spec", "golang.org/x/sys/unix"), "internal/spec is pure, and imports golang.org/x/sys/unix"},
		"yaml elsewhere":        {in("internal/store", "go.yaml.in/yaml/v4"), "internal/store imports go.yaml.in/yaml/v4, which is for internal/specfile and internal/cli and internal/netfiles"},
		"cli, loop":             {in("internal/cli", "kvmnet/internal/reconcile"), "internal/cli imports internal/reconcile, which the table does not allow"},
		"test support":          {in("internal/kernel", "kvmnet/internal/nstest"), "internal/kernel imports internal/nstest, which the table does not allow"},
		"command":               {in("internal/daemon", "kvmnet/cmd/kvmnet"), "internal/daemon imports cmd/kvmnet, which the table does not allow"},
		"command in a test":     {pkg{ImportPath: "kvmnet/internal/spec", XTestImports: []string{"kvmnet/cmd/kvmnet"}}, "a test of internal/spec imports kvmnet/cmd/kvmnet: nothing imports a command"},
		"standard library":      {in("internal/spec", "net/netip", "encoding/json"), ""},
		"allowed arrow":         {in("internal/kernel", "kvmnet/internal/plan", "golang.org/x/sys/unix"), ""},
		"test support in tests": {pkg{ImportPath: "kvmnet/internal/kernel", TestImports: []string{"kvmnet/internal/nstest"}}, ""},
	} {
		if got := strings.Join(breaches(c.p), "; "); got != c.want {
			t.Errorf("%s:\nwant %q\ngot  %q", name, c.want, got)
		}
	}
	for want, p := range map[string]pkg{
		"internal/utils: the name tells nothing about what is inside": {ImportPath: module + "internal/utils", Name: "utils", Doc: "Package utils is", GoFiles: []string{"doc.go"}},
		"internal/spec has no doc.go":                                 {ImportPath: module + "internal/spec", Name: "spec", Doc: "Package spec is", GoFiles: []string{"spec.go"}},
		`internal/spec has no comment "Package spec …"`:               {ImportPath: module + "internal/spec", Name: "spec", GoFiles: []string{"doc.go"}},
	} {
		if got := strings.Join(faults(p), "; "); got != want {
			t.Errorf("want %q, got %q", want, got)
		}
	}
}
