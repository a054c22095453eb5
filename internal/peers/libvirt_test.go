package peers_test

import (
	"strings"
	"testing"

	"kvmnet/internal/peers"
)

func TestLibvirtStartsANetworkOfItsOwn(t *testing.T) {
	t.Parallel()
	lv := peers.StartLibvirt(t)
	file := lv.File("lab.xml", "<network><name>lab</name><forward/><bridge name='virbr7'/><ip address='192.168.77.1' prefix='24'><dhcp><range start='192.168.77.2' end='192.168.77.9'/></dhcp></ip></network>")
	for _, args := range [][]string{{"net-define", file}, {"net-start", "lab"}} {
		if said := lv.Virsh(args...); said.Code != 0 {
			t.Fatalf("virsh %q: %+v", args, said)
		}
	}
	out, err := lv.Host().Command(t.Context(), "ip", "-br", "addr", "show", "virbr7").Output()
	if err != nil || !strings.Contains(string(out), "192.168.77.1/24") {
		t.Errorf("its bridge: %q, %v", out, err)
	}
	if said := lv.Virsh("net-start", "lab"); said.Code != 1 || !strings.Contains(said.Err, "network is already active") {
		t.Errorf("started twice: %+v", said)
	}
}
