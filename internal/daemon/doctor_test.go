package daemon_test

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"kvmnet/internal/api"
	"kvmnet/internal/daemontest"
	"kvmnet/internal/nstest"
)

// TestDoctorFindsAndRepairs harms a host in ways that are ours to repair, and in others.
func TestDoctorFindsAndRepairs(t *testing.T) {
	t.Parallel()
	m := newMachine(t, daemontest.Uplinked(t))
	m.Start(0)
	m.Apply(allModes)
	m.Settled()
	ailing := func(findings []api.Finding, err error) (list []string) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range findings {
			if f.Level != api.Fine {
				list = append(list, strings.TrimSpace(f.Check+" "+f.Subject+" "+map[bool]string{true: "fixed"}[f.Fixed]))
			}
		}
		slices.Sort(list)
		return list
	}
	// The namespace of the test may have what the kernel gives to new ones.
	before := ailing(m.Client.Doctor(t.Context()))
	if err := m.Client.Pause(t.Context(), true); err != nil {
		t.Fatal(err)
	}
	for _, c := range [][]string{
		{"ip", "link", "set", "lab", "mtu", "1300"},
		{"sysctl", "-qw", "net.ipv4.conf.eth0.forwarding=0"},
		{"ip", "link", "add", "odd", "type", "veth", "peer", "name", "odd-p"},
		{"ip", "link", "set", "odd", "mtu", "9000", "master", "lab"},
		{"nft", "add table inet mine { chain gate { type filter hook forward priority 10; policy drop; }; }"},
	} {
		nstest.Run(t, m.NS, c[0], c[1:]...)
	}
	// As cloud images have it, but for one word.
	root := daemontest.Options(m.Dir).Root
	for path, text := range map[string]string{
		"etc/systemd/network/all.network":                                     "[Match]\nName=*\n[Network]\nDHCP=yes\n",
		"etc/systemd/system/multi-user.target.wants/systemd-networkd.service": "",
	} {
		path = filepath.Join(root, path)
		if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o755), os.WriteFile(path, []byte(text), 0o644)); err != nil {
			t.Fatal(err)
		}
	}
	found := ailing(m.Client.Doctor(t.Context()))
	for _, want := range []string{"manager lab", "kernel network/lab", "kernel host", "forwarding eth0", "mtu odd", "firewall a firewall"} {
		if !slices.Contains(found, want) {
			t.Errorf("%q is not found; found are %q, before %q", want, found, before)
		}
	}
	healed := ailing(m.Client.Heal(t.Context()))
	for _, want := range []string{"kernel network/lab fixed", "kernel host fixed", "forwarding eth0 fixed", "mtu odd", "firewall a firewall"} {
		if !slices.Contains(healed, want) {
			t.Errorf("%q is not told after the repair; told are %q", want, healed)
		}
	}
	if got := m.Drift(); len(got) != 0 {
		t.Errorf("after the repair diff lists %q", got)
	}
}
