package daemon_test

import (
	"net/netip"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"kvmnet/internal/api"
	"kvmnet/internal/daemontest"
	"kvmnet/internal/nstest"
	"kvmnet/internal/spec"
)

const labXML = `<network>
  <name>lab</name>
  <forward mode='nat'><nat><address start='203.0.113.1' end='203.0.113.4'/></nat></forward>
  <mtu size='1400'/>
  <ip address='10.2.0.1' netmask='255.255.255.0'>
    <dhcp><range start='10.2.0.10' end='10.2.0.99'/></dhcp>
  </ip>
</network>
`

const guestXML = `<networkport>
  <uuid>7ae8b3a2-51e2-41e5-9f55-9c4d8b1d6f01</uuid>
  <owner><name>vm</name><uuid>11111111-1111-4111-8111-1111111111aa</uuid></owner>
  <mac address='52:54:00:7b:35:93'/>
</networkport>
`

// snat finds the handles of the rules that give a network's guests another address.
var snat = regexp.MustCompile(`(?m)(comment "nat/lab snat 0") # handle [0-9]+$`)

// kernelOf prints everything of ours in the kernel, without counters and timers, which
// run by themselves.
func kernelOf(m *machine) string {
	m.T.Helper()
	links := nstest.Run(m.T, m.NS, "ip", "-d", "-o", "link")
	var plain []string
	for line := range strings.Lines(links) {
		var words []string
		fields := strings.Fields(line)
		for i := 0; i < len(fields); i++ {
			switch {
			case strings.HasSuffix(fields[i], "_timer"), fields[i] == "state":
				i++
				continue
			case strings.HasPrefix(fields[i], "<"): // whether there is a carrier
				continue
			}
			words = append(words, fields[i])
		}
		plain = append(plain, strings.Join(words, " "))
	}
	return strings.Join(plain, "\n") + nstest.Run(m.T, m.NS, "nft", "-s", "-a", "list", "ruleset") + nstest.Run(m.T, m.NS, "ip", "-4", "-o", "addr")
}

// An update of what runs changes the kernel as little as it can: handles of rules,
// numbers of links and the guest's cable stay.
func TestUpdatesOfXMLAreMadeInPlace(t *testing.T) {
	t.Parallel()
	m := newMachine(t, daemontest.Uplinked(t))
	m.Start(0)
	ctx := t.Context()
	n, err := m.Client.Define(ctx, api.DefineRequest{File: api.File{Name: "lab.xml", Text: labXML}})
	m.ok(err)
	if n.Spec.Bridge.Name != "virbr0" || n.Status.State != api.Inactive {
		t.Errorf("defined %+v", n)
	}
	m.ok(m.Client.Start(ctx, n.Spec.UUID))
	p, err := m.Client.AddPortXML(ctx, "lab", api.DefineRequest{File: api.File{Name: "p.xml", Text: guestXML}})
	m.ok(err)
	if line, there := linkOf(m, p.Spec.Interface); !there {
		t.Errorf("no device for the guest: %s", line)
	}
	before := kernelOf(m)
	for _, u := range []struct {
		command, section, xml string
		old, now              string // what it replaces in the kernel
	}{
		{"add", "ip-dhcp-host", "<host mac='52:54:00:7b:35:93' ip='10.2.0.9'/>", "", ""},
		{"add", "dns-txt", "<txt name='a' value='b'/>", "", ""},
		{"modify", "mtu", "<mtu size='1300'/>", "mtu 1400", "mtu 1300"},
		{"modify", "nat", "<nat><address start='203.0.113.1' end='203.0.113.9'/></nat>", "203.0.113.4", "203.0.113.9"},
	} {
		done, err := m.Client.UpdateNetwork(ctx, "lab", api.NetworkUpdate{Copies: api.Copies{Live: true, Config: true},
			Command: u.command, Section: u.section, Parent: -1, XML: u.xml})
		if err != nil {
			t.Errorf("%s %s: %v", u.command, u.section, err)
			continue
		}
		if (len(done.Ops) > 0) != (u.old != "") {
			t.Errorf("%s %s: the ops are %q", u.command, u.section, done.Ops)
		}
		after := kernelOf(m)
		want := before
		if u.old != "" {
			want = strings.ReplaceAll(before, u.old, u.now)
		}
		if u.section == "nat" { // these are replaced in one transaction
			want, after = snat.ReplaceAllString(want, "$1"), snat.ReplaceAllString(after, "$1")
		}
		if d := cmp.Diff(want, after); d != "" {
			t.Errorf("%s %s, -want +after:\n%s", u.command, u.section, d)
		}
		before = kernelOf(m)
	}
	m.wantStateOn("lab", "running persistent")
	m.Settled()
}

// wantStateOn is wantState for a network whose bridge has another name.
func (m *machine) wantStateOn(network, want string) {
	m.T.Helper()
	if got := m.state(network); got != want {
		m.T.Errorf("network %s is %q, want %q", network, got, want)
	}
}

// Leases that are taken over are in the book, and survive the daemon.
func TestLeasesAreTakenOverForGood(t *testing.T) {
	t.Parallel()
	m := newMachine(t, daemontest.Uplinked(t))
	m.Start(0)
	_, err := m.Client.Define(t.Context(), api.DefineRequest{File: api.File{Name: "lab.xml", Text: labXML}})
	m.ok(err)
	ends := time.Now().Add(time.Hour).Truncate(time.Second)
	mac, _ := spec.ParseMAC("52:54:00:00:00:30")
	leases := []api.Lease{{Address: netip.MustParsePrefix("10.2.0.30/24"), MAC: mac, Hostname: "web", Begun: time.Unix(1000, 0), Expires: &ends}}
	taken, err := m.Client.ImportLeases(t.Context(), "lab", leases)
	m.ok(err)
	if len(taken) != 1 || taken[0].Hostname != "web" {
		t.Errorf("took %+v", taken)
	}
	m.Kill()
	m.Start(0)
	all, err := m.Client.Leases(t.Context(), "lab")
	m.ok(err)
	if len(all) != 1 || all[0].MAC != mac || all[0].Expires == nil || all[0].Expires.Sub(ends).Abs() > 2*time.Second {
		t.Errorf("after a restart there are %+v", all)
	}
}
