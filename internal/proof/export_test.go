package proof

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"kvmnet/internal/daemontest"
	"kvmnet/internal/nstest"
	"kvmnet/internal/peers"
)

// exported has a network of every kind that guests of libvirt can be on.
const exported = `
bridges: {br0: {ports: [nic0]}}
networks:
  lab: {mode: nat, bridge: {name: lab0}, subnets: [{address: 10.78.0.1/24, dhcp: {}}]}
  apart: {mode: isolated, bridge: {name: apart0}, isolated: true, subnets: [{address: 10.79.0.1/24}]}
  lan: {mode: bridge, bridge: {name: br0}}
  wire: {mode: bridge, direct: {mode: vepa, devices: [nic1]}}
`

func TestLibvirtUsesExportedNetworksAndAddsNothing(t *testing.T) {
	t.Parallel()
	lv := peers.StartLibvirt(t)
	ns := lv.Host().NS()
	for _, nic := range []string{"nic0", "nic1"} {
		nstest.Run(t, ns, "ip", "link", "add", nic, "type", "veth", "peer", "name", "far-"+nic)
		nstest.Run(t, ns, "ip", "link", "set", nic, "up")
		nstest.Run(t, ns, "ip", "link", "set", "far-"+nic, "up")
	}
	m := daemontest.NewMachine(t, ns)
	m.Start(0)
	if r := m.Apply(exported); len(r.Problems) > 0 {
		t.Fatal(r.Problems)
	}
	m.Settled()
	rules := func() string {
		return nstest.Run(t, ns, "nft", "-s", "list", "ruleset") + nstest.Run(t, ns, "ip", "-4", "-o", "addr") + nstest.Run(t, ns, "ip", "route")
	}
	before := rules()
	for name, bridge := range map[string]string{"lab": "lab0", "apart": "apart0", "lan": "br0", "wire": "-"} {
		virsh(t, lv, "net-define", lv.File(name+".xml", must(t, m, "export", "libvirt", name)))
		virsh(t, lv, "net-start", name)
		if info := virsh(t, lv, "net-info", name); !strings.Contains(info, "Active:         yes") || bridge != "-" && !strings.HasSuffix(info, "Bridge:         "+bridge) {
			t.Errorf("libvirt tells of %s:\n%s", name, info)
		}
	}
	if diff := cmp.Diff(before, rules()); diff != "" {
		t.Errorf("libvirt changed the host (-before +after):\n%s", diff)
	}
	started, err := filepath.Glob(lv.Path("run", "network", "*.pid"))
	if err != nil {
		t.Fatal(err)
	}
	for _, pid := range started {
		if filepath.Base(pid) != "driver.pid" {
			t.Errorf("libvirt started a process for %s", filepath.Base(pid))
		}
	}
	if confs, _ := os.ReadDir(lv.Path("lib", "dnsmasq")); len(confs) > 0 {
		t.Errorf("libvirt wrote settings of dnsmasq: %v", confs)
	}
	virsh(t, lv, "net-destroy", "lab")
	if diff := cmp.Diff(before, rules()); diff != "" {
		t.Errorf("libvirt took something of ours with it (-before +after):\n%s", diff)
	}
	m.Settled()
}
