package libvirthost

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"kvmnet/internal/api"
)

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// put writes files below a folder; a name that ends with → leads there.
func put(t testing.TB, dir string, files map[string]string) {
	t.Helper()
	for name, text := range files {
		path := filepath.Join(dir, name)
		must(t, os.MkdirAll(filepath.Dir(path), 0o755))
		if to, link := strings.CutPrefix(text, "→ "); link {
			must(t, os.Symlink(to, path))
			continue
		}
		must(t, os.WriteFile(path, []byte(text), 0o644))
	}
}

var installed = map[string]string{
	"etc/libvirt/qemu/networks/default.xml":           "<network><name>default</name></network>",
	"etc/libvirt/qemu/networks/lab.xml":               "<network><name>lab</name></network>",
	"etc/libvirt/qemu/networks/lab.xml.new":           "what an editor left",
	"etc/libvirt/qemu/networks/autostart/default.xml": "→ /etc/libvirt/qemu/networks/default.xml",
	"run/libvirt/network/lab.xml":                     "<networkstatus/>",
	"run/libvirt/network/gone.xml":                    "<networkstatus/>", // transient
	"var/lib/libvirt/dnsmasq/virbr1.status":           `[{"ip-address": "10.0.0.5", "mac-address": "52:54:00:00:00:05"}]`,
	"var/lib/libvirt/dnsmasq/virbr0.status":           "",
	"var/lib/libvirt/dnsmasq/old.leases":              "0 52:54:00:00:00:06 10.0.0.6 * *\n",
}

func show(list []Network) string {
	var lines []string
	for _, n := range list {
		lines = append(lines, fmt.Sprintf("%s autostart=%v active=%v %d bytes", n.Name, n.Autostart, n.Active, len(n.XML.Text)))
	}
	return strings.Join(lines, "\n")
}

func addresses(list []api.Lease) string {
	var words []string
	for _, l := range list {
		words = append(words, l.Address.Addr().String())
	}
	return strings.Join(words, " ")
}

func TestNetworksAreFoundWithTheirMarks(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	put(t, dir, installed)
	want := "default autostart=true active=false 39 bytes\nlab autostart=false active=true 35 bytes"
	for what, f := range map[string]Files{"the root": Root(dir), "a copy of it": Copied(dir)} {
		list, err := f.Networks(t.Context())
		if got := show(list); err != nil || got != want {
			t.Errorf("%s: %v\n%s", what, err, got)
		}
	}
	if list, _ := Root(dir).Networks(t.Context()); list[0].XML.Name != filepath.Join(dir, "etc/libvirt/qemu/networks/default.xml") {
		t.Errorf("messages would name %s", list[0].XML.Name)
	}
}

func TestLeasesAreThoseOfTheBridge(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	put(t, dir, installed)
	for _, c := range []struct{ network, bridge, want string }{
		{"lab", "virbr1", "10.0.0.5"},
		{"default", "virbr0", ""},
		{"old", "virbr9", "10.0.0.6"},
		{"none", "virbr9", ""},
		{"../lab", "../dnsmasq/virbr1", "10.0.0.5"}, // no name leads out of the folder
	} {
		list, notes, err := Root(dir).Leases(t.Context(), c.network, c.bridge)
		if got := addresses(list); err != nil || len(notes) > 0 || got != c.want {
			t.Errorf("%s: %s, %v, %v", c.network, got, notes, err)
		}
	}
}

func TestCopyMayBeDefinitionsAlone(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	put(t, dir, map[string]string{"a.xml": "<a/>", "autostart/a.xml": "→ nowhere", "virbr0.status": installed["var/lib/libvirt/dnsmasq/virbr1.status"]})
	list, err := Copied(dir).Networks(t.Context())
	if got := show(list); err != nil || got != "a autostart=true active=false 4 bytes" {
		t.Errorf("%v\n%s", err, got)
	}
	leases, _, err := Copied(dir).Leases(t.Context(), "a", "virbr0")
	if err != nil || addresses(leases) != "10.0.0.5" {
		t.Errorf("%v, %v", leases, err)
	}
}

func TestLeasesThatEndedAreLeftOut(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	put(t, dir, map[string]string{"virbr0.status": `[
		{"ip-address": "10.0.0.5", "mac-address": "52:54:00:00:00:05", "expiry-time": 1000},
		{"ip-address": "10.0.0.6", "mac-address": "52:54:00:00:00:06", "expiry-time": 1001},
		{"ip-address": "10.0.0.7", "mac-address": "52:54:00:00:00:07", "expiry-time": 0}]`})
	f := Copied(dir)
	f.Now = func() time.Time { return time.Unix(1000, 0) }
	list, _, err := f.Leases(t.Context(), "a", "virbr0")
	if err != nil || addresses(list) != "10.0.0.6 10.0.0.7" {
		t.Errorf("%s, %v", addresses(list), err)
	}
}

func TestWhatCannotBeReadIsTold(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	_, err := Root(dir).Networks(t.Context())
	if !errors.Is(err, fs.ErrNotExist) || !strings.Contains(err.Error(), "is libvirt installed here? name the folder of a copy with --from, or ask virsh with --virsh") {
		t.Errorf("no libvirt: %v", err)
	}
	put(t, dir, map[string]string{"a.xml": "→ nowhere", "b.xml": "<b/>", "c.xml": "→ c.xml", "virbr0.status": "{}", "virbr1.status": "[", "virbr2.status": "→ virbr2.status"})
	list, err := Copied(dir).Networks(t.Context())
	if err == nil || !strings.Contains(err.Error(), "read the definition of a: ") || !strings.Contains(err.Error(), "read the definition of c: ") || strings.Contains(err.Error(), "installed") || show(list) != "b autostart=false active=false 4 bytes" {
		t.Errorf("broken links: %v, %d networks", err, len(list))
	}
	for _, bridge := range []string{"virbr0", "virbr1", "virbr2"} {
		if _, _, err := Copied(dir).Leases(t.Context(), "lab", bridge); err == nil || !strings.Contains(err.Error(), "read the leases of lab: ") {
			t.Errorf("%s: %v", bridge, err)
		}
	}
	must(t, syscall.Mkfifo(filepath.Join(dir, "e.xml"), 0o600)) // it would wait for ever
	if _, err := Copied(dir).Networks(t.Context()); err == nil || !strings.Contains(err.Error(), "read the definition of e: "+filepath.Join(dir, "e.xml")+" is not a regular file") {
		t.Errorf("a pipe: %v", err)
	}
	big := filepath.Join(dir, "d.xml")
	must(t, os.WriteFile(big, nil, 0o644))
	must(t, os.Truncate(big, largestXML+1))
	if _, err := Copied(dir).Networks(t.Context()); err == nil || !strings.Contains(err.Error(), "read the definition of d: it has more than 10 MiB") {
		t.Errorf("a huge file: %v", err)
	}
}
