package proof

import (
	"context"
	"net/netip"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"kvmnet/internal/api"
	"kvmnet/internal/daemontest"
	"kvmnet/internal/nstest"
	"kvmnet/internal/peers"
	"kvmnet/internal/testhost"
)

// The networks of the libvirt that is imported from.
const (
	libvirtDefault = `<network><name>default</name><uuid>9a05da11-e96b-47f3-8253-a3a482e445f5</uuid><forward mode='nat'/><bridge name='virbr0' stp='off'/>
<mac address='52:54:00:0a:cd:21'/><ip address='192.168.122.1' netmask='255.255.255.0'><dhcp><range start='192.168.122.2' end='192.168.122.254'/></dhcp></ip></network>`
	libvirtLab = `<network><name>lab</name><domain name='lab.internal' localOnly='yes'/><ip address='10.77.0.1' netmask='255.255.255.0'><dhcp>
<range start='10.77.0.100' end='10.77.0.199'><lease expiry='2' unit='hours'/></range><host mac='52:54:00:77:00:05' name='db' ip='10.77.0.5'/></dhcp></ip></network>`
	libvirtLAN = `<network><name>lan</name><forward mode='bridge'/><bridge name='br0'/><portgroup name='fast'><bandwidth><inbound average='100000'/></bandwidth></portgroup></network>`
)

// virsh runs a command that must succeed.
func virsh(t *testing.T, lv *peers.Libvirt, args ...string) string {
	t.Helper()
	said := lv.Virsh(args...)
	if said.Code != 0 {
		t.Fatalf("virsh %q: %+v", args, said)
	}
	return strings.TrimSpace(said.Out)
}

// must runs a command of ours that must succeed.
func must(t *testing.T, m *daemontest.Machine, args ...string) string {
	t.Helper()
	said := kvmnetSays(t, m, args...)
	if said.Code != 0 {
		t.Fatalf("kvmnet %q: %+v\n%s", args, said, m.Log)
	}
	return said.Out
}

// rootOf is a file system with the files of a libvirt in their places.
func rootOf(t *testing.T, lv *peers.Libvirt) string {
	t.Helper()
	root := t.TempDir()
	for place, ours := range map[string]string{"etc/libvirt": "etc", "run/libvirt": "run", "var/lib/libvirt": "lib"} {
		at := filepath.Join(root, place)
		if err := os.MkdirAll(filepath.Dir(at), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.Symlink(lv.Path(ours), at); err != nil {
			t.Fatal(err)
		}
	}
	return root
}

// busyLibvirt is a libvirt with three networks, of which default runs, starts at boot,
// and has a guest with a lease.
func busyLibvirt(t *testing.T) (lv *peers.Libvirt, guest netip.Prefix) {
	t.Helper()
	lv = peers.StartLibvirt(t)
	for _, text := range []string{libvirtDefault, libvirtLab, libvirtLAN} { // lab takes the first bridge that is free
		virsh(t, lv, "net-define", lv.File("network.xml", text))
	}
	virsh(t, lv, "net-autostart", "default")
	virsh(t, lv, "net-start", "default")
	l := takeOn(t, lv.Host(), "virbr0", "before")
	return lv, l.Address
}

// takeOn plugs the guest into a bridge, takes a lease, and pulls the plug.
func takeOn(t *testing.T, machine *testhost.Host, bridge, name string) peers.Lease {
	t.Helper()
	h := nstest.Host(t, name)
	plug := testhost.Plug{MAC: guestMAC(t, "52:54:00:12:34:56"), Outside: machine.NS(), OutsideName: nstest.PortName(name), Bridge: bridge}
	if err := h.Plug(plug); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	client := peers.Dhclient(t, h)
	l, err := client.Take(ctx)
	if err == nil {
		err = client.Stop()
	}
	if err != nil {
		t.Fatal(err)
	}
	return l
}

// blanks makes the columns of a table words.
var blanks = regexp.MustCompile(` +`)

func wantLines(t *testing.T, out string, lines ...string) {
	t.Helper()
	out = "\n" + blanks.ReplaceAllString(out, " ")
	for _, l := range lines {
		if !strings.Contains(out, "\n"+l) {
			t.Errorf("no line %q in%s", l, out)
		}
	}
}

func TestImportTakesALibvirtOverWithItsLeases(t *testing.T) {
	t.Parallel()
	lv, guest := busyLibvirt(t)
	w := newWorld(t, "networks: {quiet: {mode: isolated}}")
	before := virsh(t, lv, "net-list", "--all") + virsh(t, lv, "net-dumpxml", "default") + virsh(t, lv, "net-dhcp-leases", "default")
	from := []string{"--from", rootOf(t, lv), "--all"}

	rows := []string{"default nat virbr0 192.168.122.1/24 yes yes 1 ", "lab isolated virbr1 10.77.0.1/24 no no 0 ", "lan bridge br0 - no no 0 "}
	each := func(result string) (lines []string) {
		for _, r := range rows {
			lines = append(lines, r+result)
		}
		return lines
	}
	wantLines(t, must(t, w.Machine, append([]string{"import", "libvirt", "--dry-run"}, from...)...), each("ready")...)
	asked := must(t, w.Machine, "import", "libvirt", "--virsh", "--connect", lv.URI())
	wantLines(t, asked, each("ready")...)
	if list, _ := w.Client.Networks(t.Context()); len(list) != 1 {
		t.Fatalf("a dry run defined %d networks", len(list)-1)
	}
	wantLines(t, must(t, w.Machine, append([]string{"import", "libvirt"}, from...)...), each("imported")...)
	wantLines(t, must(t, w.Machine, append([]string{"import", "libvirt"}, from...)...), each("already imported")...)

	for name, autostart := range map[string]bool{"default": true, "lab": false, "lan": false} {
		n, err := w.Client.Network(t.Context(), name)
		if err != nil {
			t.Fatal(err)
		}
		if uuid := virsh(t, lv, "net-uuid", name); n.Spec.UUID != uuid || n.Status.Autostart != autostart || n.Status.State != api.Inactive {
			t.Errorf("%s has the UUID %s instead of %s, and is %+v", name, n.Spec.UUID, uuid, n.Status)
		}
		if mac := n.Spec.Bridge.MAC.String(); name != "lan" && !strings.Contains(virsh(t, lv, "net-dumpxml", name), mac) {
			t.Errorf("the bridge of %s has another MAC, %s", name, mac)
		}
	}
	wantLines(t, must(t, w.Machine, "net", "dump", "lab"), " uuid: ")
	leases, err := w.Client.Leases(t.Context(), "default")
	if err != nil || len(leases) != 1 || leases[0].Address != guest || leases[0].Hostname != "before" {
		t.Errorf("leases %+v, %v, want that of %s", leases, err, guest)
	}

	// The guest has moved here, and finds its address again.
	must(t, w.Machine, "net", "start", "default")
	if l := takeOn(t, w.Lab.Machine, "virbr0", "after"); l.Address != guest {
		t.Errorf("the guest had %s and has %s here", guest, l.Address)
	}
	if after := virsh(t, lv, "net-list", "--all") + virsh(t, lv, "net-dumpxml", "default") + virsh(t, lv, "net-dhcp-leases", "default"); after != before {
		t.Errorf("libvirt was touched. Before:\n%s\nafter:\n%s", before, after)
	}
}

func TestImportBesideARunningLibvirtWaitsUntilItStops(t *testing.T) {
	t.Parallel()
	lv, guest := busyLibvirt(t)
	m := daemontest.NewMachine(t, lv.Host().NS())
	m.Start(0)
	asks := []string{"import", "libvirt", "default", "--connect", lv.URI()}
	said := kvmnetSays(t, m, append(asks, "--start")...)
	way := "before it starts here, have libvirt leave it alone: virsh net-destroy default; virsh net-autostart --disable default"
	if said.Code != 1 || !strings.Contains(said.Err, "the interface virbr0 exists already, and is not this network's") || !strings.Contains(said.Err, way) {
		t.Errorf("%+v", said)
	}
	if list, _ := m.Client.Networks(t.Context()); len(list) != 0 {
		t.Fatalf("something is left of it: %+v", list)
	}
	wantLines(t, must(t, m, asks...), "default nat virbr0 192.168.122.1/24 yes yes 1 imported", "note: network/default: "+way)
	if said := kvmnetSays(t, m, "net", "start", "default"); said.Code != 1 || !strings.Contains(said.Err, "virbr0") {
		t.Errorf("started beside libvirt: %+v", said)
	}
	if said := virsh(t, lv, "net-list"); !strings.Contains(said, "default   active") {
		t.Errorf("libvirt lost its network:\n%s", said)
	}
	virsh(t, lv, "net-destroy", "default")
	virsh(t, lv, "net-autostart", "--disable", "default")
	must(t, m, "net", "start", "default")
	if l := takeOn(t, lv.Host(), "virbr0", "after"); l.Address != guest {
		t.Errorf("the guest had %s and has %s here", guest, l.Address)
	}
}

func TestDefaultNetworkTakesTheNextSubnetAndBridgeThatAreFree(t *testing.T) {
	t.Parallel()
	m := daemontest.NewMachine(t, daemontest.Uplinked(t))
	m.Start(0)
	out := must(t, m, "import", "default")
	if !strings.HasPrefix(out, "network/default defined: 192.168.122.0/24 on virbr0; ") {
		t.Errorf("on an empty host: %s", out)
	}
	n, err := m.Client.Network(t.Context(), "default")
	if err != nil || n.Status.State != api.Inactive || n.Status.Autostart || n.Spec.Mode != "nat" || !strings.Contains(must(t, m, "net", "dump", "default"), "192.168.122.2-192.168.122.254") {
		t.Errorf("it is %+v, %v", n, err)
	}
	if out := must(t, m, "import", "default"); out != "network/default exists and is left alone\n" {
		t.Errorf("again: %s", out)
	}
	must(t, m, "net", "undefine", "default")
	for _, args := range [][]string{
		{"link", "add", "virbr0", "type", "bridge"}, {"link", "set", "virbr0", "up"}, {"addr", "add", "192.168.122.77/25", "dev", "virbr0"},
		{"route", "add", "192.168.123.0/26", "via", "192.168.122.78"},
	} {
		nstest.Run(t, m.NS, "ip", args...)
	}
	m.Apply("networks: {lab: {mode: isolated, bridge: {name: virbr1}, autostart: false, subnets: [{address: 192.168.124.1/24}]}}")
	if out := must(t, m, "import", "default"); !strings.HasPrefix(out, "network/default defined: 192.168.125.0/24 on virbr2; ") {
		t.Errorf("on a host that has some: %s", out)
	}
	must(t, m, "net", "start", "default")
}
