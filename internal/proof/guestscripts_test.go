package proof

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"kvmnet/internal/nstest"
)

// scriptNetworks are what the three kinds of scripts make.
const scriptNetworks = `
networks:
  lan:  {mode: bridge, bridge: {name: br0}}
  nat:  {mode: nat, bridge: {name: nat0}, subnets: [{address: 192.168.53.1/24, dhcp: {}}]}
  host: {mode: isolated, bridge: {name: host0}, onDemand: true, subnets: [{address: 172.16.0.1/24, dhcp: {}}]}
bridges: {br0: {ports: [eth1]}}
`

// TestScriptsAreReplaced classifies the scripts that people give QEMU, and runs in the
// place of each one the link that docs/guests.md says, with the argument that QEMU
// passes and a tap as QEMU makes it.
func TestScriptsAreReplaced(t *testing.T) {
	t.Parallel()
	w := newWorld(t, scriptNetworks)
	bin := w.program()
	models := []string{"lan", "nat", "host"} // one of each, whatever there is to read
	files, _ := filepath.Glob("../../../shared/corpus/scripts/*.sh")
	others := 0
	for _, path := range files {
		text, err := os.ReadFile(path)
		w.fine(err)
		if m := modelOf(string(text)); m != "" {
			models = append(models, m)
			continue
		}
		others++
	}
	if len(files) == 0 {
		t.Log("the corpus of scripts is not beside the checkout: only one of each model")
	} else if len(models) < 3+len(files)/2 {
		t.Errorf("%d of %d scripts are for a guest's tap", len(models)-3, len(files))
	}
	count := map[string]int{}
	for i, m := range models {
		if count[m]++; i < 3 || *allWays { // to kvmnet all of a model are the same
			w.replaced(bin, m, fmt.Sprintf("tap%d.%d", i, count[m]))
		}
	}
	t.Logf("of each model: %v; not for a guest's tap: %d", count, others)
	w.Settled()
}

var (
	// plugs and pulls are what scripts do with the interface that is their argument.
	plugs = regexp.MustCompile(`(?m)(addif|add-port|master).*\$\{?(1|interface|IFNAME)\b|\$\{?1\b.*\bmaster\b`)
	pulls = regexp.MustCompile(`(?m)(delif|del-port|nomaster|tunctl -d|link del(ete)?|ifconfig|link set)\b.*\$\{?1\b`)
	masks = regexp.MustCompile(`MASQUERADE|SNAT`)
	owns  = regexp.MustCompile(`(?m)(ifconfig|ip addr(ess)? add).*(\$GATEWAY|netmask|172\.|192\.168\.|10\.)`)
)

// modelOf tells which of the three kinds a script is: "" = it is not about the tap of a
// guest.
func modelOf(text string) string {
	switch {
	case !plugs.MatchString(text) && !pulls.MatchString(text):
		return ""
	case masks.MatchString(text):
		return "nat"
	case owns.MatchString(text):
		return "host"
	}
	return "lan"
}

// replaced plugs a tap in by the link for a network, twice, and takes it out again,
// twice.
func (w *world) replaced(bin *program, network, iface string) {
	w.t.Helper()
	bridge := map[string]string{"lan": "br0", "nat": "nat0", "host": "host0"}[network]
	tap, err := openTap(w.NS, "/dev/net/tun", iface)
	if err != nil {
		w.t.Skipf("needs /dev/net/tun: %v: type: modprobe tun", err)
	}
	defer tap.Close()
	for _, step := range []struct{ dir, master string }{
		{"qemu-ifup.d", bridge}, {"qemu-ifup.d", bridge}, {"qemu-ifdown.d", ""}, {"qemu-ifdown.d", ""},
	} {
		cmd := bin.command(iface)
		cmd.Path, cmd.Args[0] = bin.link(step.dir+"/"+network), bin.path(step.dir, network)
		if said, err := bin.run(cmd); err != nil || said != "" {
			w.t.Errorf("%s/%s %s: %v: %s", step.dir, network, iface, err, said)
		}
		links := nstest.Run(w.t, w.NS, "ip", "-o", "link", "show", iface)
		if step.master != "" && !strings.Contains(links, "master "+step.master+" ") || step.master == "" && strings.Contains(links, "master") {
			w.t.Errorf("after %s/%s: %s: want master %q", step.dir, network, links, step.master)
		}
	}
	if network == "host" { // on demand: its last guest has left
		if out := nstest.Run(w.t, w.NS, "ip", "-br", "link"); strings.Contains(out, "host0") {
			w.t.Errorf("host0 is still there: %s", out)
		}
	}
}
