package lab

import (
	"os"
	"strings"
	"testing"

	"kvmnet/internal/api"
	"kvmnet/internal/nstest"
	"kvmnet/internal/qemuguest"
)

// needQEMU skips a test where virtual machines cannot be booted.
func needQEMU(t *testing.T) *qemuguest.Assets {
	t.Helper()
	if testing.Short() {
		t.Skip("boots virtual machines")
	}
	nstest.Need(t)
	f, err := os.OpenFile("/dev/net/tun", os.O_RDWR, 0)
	if err != nil {
		t.Skipf("needs /dev/net/tun: %v: type: modprobe tun", err)
	}
	f.Close()
	assets, err := qemuguest.Prepare(t.Context(), nil)
	if err != nil {
		t.Skipf("needs guest files: %v", err)
	}
	return assets
}

func TestDemoWithVirtualMachines(t *testing.T) {
	needQEMU(t)
	const file = "networks: {lab: {mode: nat, subnets: [{address: 192.168.100.1/24, dhcp: {}}, {address: 'fd00:20::1/64'}]}}\n"
	var out strings.Builder
	err := Run(t.Context(), Options{Guests: GuestsQEMU, Out: &out, File: &api.File{Name: "vm.yaml", Text: file}})
	if err != nil || !allKept.MatchString(out.String()) {
		t.Fatalf("%v\n%s", err, out.String())
	}
	for _, want := range []string{"lab-1 booted in ", "lab        192.168.100.20 as 192.0.2.2, fd00:20::14 as 2001:db8:2::2\n",
		"address offered    ✓· 192.168.100.20\n", "router advertised  ·✓ fd00:20::/64, router\n", "name answered      ✓✓ 192.168.100.20 / fd00:20::14\n", "machine as before"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("%q is missing in:\n%s", want, out.String())
		}
	}
}

func TestFirstAddr(t *testing.T) {
	t.Parallel()
	for line, want := range map[string]string{"192.0.2.2 40000": "192.0.2.2", "2001:db8::1 7": "2001:db8::1", "": "invalid IP", "nc: timed out": "invalid IP"} {
		if got := firstAddr(line).String(); got != want {
			t.Errorf("%q: got %s, want %s", line, got, want)
		}
	}
}
