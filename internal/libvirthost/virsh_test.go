package libvirthost

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// leaseTable is what virsh 9.0 printed in UTC.
const leaseTable = ` Expiry Time           MAC address         Protocol   IP address      Hostname   Client ID or DUID
----------------------------------------------------------------------------------------------------------------------------
 2026-11-29 08:26:29   52:54:00:00:72:33   ipv4       10.72.0.21/24   guestx     -
 2026-11-29 09:34:20   52:54:00:00:72:66   ipv6       fd72::174/64    -          00:01:00:01:32:9e:91:fb:52:54:00:00:72:66
 1970-01-01 00:00:00   52:54:00:00:71:01   ipv4       10.71.0.5/24    h1         01:52:54:00:00:71:01

`

// script answers what a virsh would print.
func script(t *testing.T, answers map[string]string) Virsh {
	return Virsh{URI: "qemu+ssh://host/system", Now: func() time.Time { return time.Unix(1_700_000_000, 0) },
		Run: func(_ context.Context, args ...string) (string, error) {
			words, ok := strings.CutPrefix(strings.Join(args, " "), "--connect qemu+ssh://host/system ")
			text, known := answers[words]
			if !ok || !known {
				t.Errorf("virsh %v", args)
				return "", errors.New("no such answer")
			}
			return text, nil
		}}
}

func TestVirshTellsNetworksAndLeases(t *testing.T) {
	t.Parallel()
	v := script(t, map[string]string{
		"net-list --all --persistent --name":         "default\nmy lab\n\n",
		"net-dumpxml --inactive --network default":   "<network/>\n\n",
		"net-dumpxml --inactive --network my lab":    "<a/>",
		"net-info --network default":                 "Name:           default\nUUID:           1\nActive:         yes\nPersistent:     yes\nAutostart:      no\nBridge:         virbr0\n\n",
		"net-info --network my lab":                  "Name:           my lab\nActive:         no\nPersistent:     yes\nAutostart:      yes\n",
		"net-dhcp-leases --network default":          leaseTable,
		"net-dhcp-leases --network my lab":           " Expiry Time   MAC address   Protocol   IP address   Hostname   Client ID or DUID\n------\n\n",
		"net-dhcp-leases --network strange":          "head\n----\n what is this\n 2026-11-29   52:54:00:00:72:33   ipv4   10.72.0.21/24   guestx   -\n",
		"net-dhcp-leases --network of another clock": strings.Replace(leaseTable, "2026", "2020", 1),
	})
	list, err := v.Networks(t.Context())
	if got := show(list); err != nil || got != "default autostart=false active=true 12 bytes\nmy lab autostart=true active=false 4 bytes" {
		t.Errorf("%v\n%s", err, got)
	}
	leases, notes, err := v.Leases(t.Context(), "default", "virbr0")
	want := "ipv4 10.72.0.21/24 52:54:00:00:72:33 iaid 0 until 1795940789 guestx\nipv4 10.71.0.5/24 52:54:00:00:71:01 iaid 0 until never h1 01:52:54:00:00:71:01"
	if got := lines(leases); err != nil || got != want || len(notes) != 1 || !strings.HasPrefix(notes[0], "leases of DHCPv6 are left out (1): virsh tells no IAID") {
		t.Errorf("%v %q\n%s", err, notes, got)
	}
	if leases, notes, err := v.Leases(t.Context(), "my lab", "virbr1"); err != nil || len(leases)+len(notes) > 0 {
		t.Errorf("of a network without leases: %v %v %v", leases, notes, err)
	}
	if leases, notes, err := v.Leases(t.Context(), "strange", ""); err != nil || len(leases) > 0 || len(notes) != 2 {
		t.Errorf("of a table that makes no sense: %v %q %v", leases, notes, err)
	}
	if leases, _, _ := v.Leases(t.Context(), "of another clock", ""); addresses(leases) != "10.71.0.5" {
		t.Errorf("ended leases are %v", leases)
	}
}

func TestVirshThatFailsIsTold(t *testing.T) {
	dir := t.TempDir()
	t.Setenv("PATH", dir)
	if _, err := NewVirsh("").Networks(t.Context()); err == nil || !strings.Contains(err.Error(), "run virsh: it is not installed; install libvirt-clients") {
		t.Errorf("without virsh: %v", err)
	}
	must(t, os.WriteFile(filepath.Join(dir, "virsh"), []byte("#!/bin/sh\necho \"$LC_ALL $TZ\" >&2\necho 'error: failed to connect' >&2\nexit 1\n"), 0o755))
	if _, err := NewVirsh("x:///").Networks(t.Context()); err == nil || !strings.Contains(err.Error(), "virsh --connect x:/// net-list --all --persistent --name: exit status 1: C UTC\nerror: failed to connect") {
		t.Errorf("a virsh that fails: %v", err)
	}
}
