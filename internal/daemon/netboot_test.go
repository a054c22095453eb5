package daemon_test

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/insomniacslk/dhcp/dhcpv4"
	"github.com/insomniacslk/dhcp/dhcpv6"

	"kvmnet/internal/daemontest"
	"kvmnet/internal/nstest"
	"kvmnet/internal/peers"
	"kvmnet/internal/qemuguest"
	"kvmnet/internal/spec"
	"kvmnet/internal/testhost"
)

// netboot is a machine whose port vm1 is for a guest that boots from a network of
// both families, and what passes there. The guest's kernel, its initramfs and
// two scripts that lead iPXE to them are in the directory.
type netboot struct {
	*machine
	assets *qemuguest.Assets
	dir    string
	v4, v6 *peers.Trace
	asks   *testhost.Capture   // requests for files by TFTP
	served *daemontest.Journal // requests by HTTP
}

// netbootMAC is the guest's.
var netbootMAC = spec.MAC{0x52, 0x54, 0, 0, 0, 1}

// newNetboot takes what dhcp is of either subnet; DIR stands for the directory.
func newNetboot(t *testing.T, dhcp4, dhcp6 string) *netboot {
	t.Helper()
	if testing.Short() {
		t.Skip("boots virtual machines")
	}
	assets, err := qemuguest.Prepare(t.Context(), nil)
	if err != nil {
		t.Skipf("needs guest files: %v", err)
	}
	h := nstest.Host(t, "machine")
	r := &netboot{machine: newMachine(t, h.NS()), assets: assets, dir: t.TempDir(), served: &daemontest.Journal{}}
	r.fill(t)
	r.Start(0)
	t.Cleanup(func() {
		if t.Failed() {
			t.Log(r.Log)
		}
	})
	r.Apply(strings.ReplaceAll(fmt.Sprintf(`
networks:
  lab:
    mode: nat
    bridge: {name: lab0}
    dns: {domain: lab.internal, hosts: {boot: [10.9.0.1, "fd09::1"], files: 10.9.0.1}}
    subnets:
      - {address: 10.9.0.1/24, dhcp: {%s}}
      - {address: "fd09::1/64", dhcp: {%s}}
ports:
  vm1: {network: lab, type: tap, mac: "%s"}
`, dhcp4, dhcp6, netbootMAC), "DIR", r.Dir))
	r.v4, r.v6 = peers.NewTrace(t, h, "vm1", 4, netbootMAC), peers.NewTrace(t, h, "vm1", 6, netbootMAC)
	if r.asks, err = h.Capture(t.Context(), "vm1", func(p testhost.Packet) bool { return p.Proto == testhost.UDP && p.DstPort == 69 }); err != nil {
		t.Fatal(err)
	}
	return r
}

// words are the kernel's.
var words = qemuguest.CommandLine(qemuguest.Config{Name: "vm1", DHCP: true})

// fill puts the files into the directory.
func (r *netboot) fill(t *testing.T) {
	t.Helper()
	r.copy(t, r.assets.Kernel, "vmlinuz")
	r.copy(t, r.assets.Initramfs, "initramfs.cpio")
	r.write(t, "boot.ipxe", "#!ipxe\nchain scripts/second.ipxe\n")
	r.write(t, "scripts/second.ipxe", "#!ipxe\nkernel tftp://${next-server}/vmlinuz initrd=initramfs.cpio "+words+"\ninitrd tftp://${next-server}/initramfs.cpio\nboot\n")
}

func (r *netboot) write(t *testing.T, name, text string) {
	t.Helper()
	path := filepath.Join(r.Dir, name)
	err := os.MkdirAll(filepath.Dir(path), 0o755)
	if err == nil {
		err = os.WriteFile(path, []byte(text), 0o644)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// copy puts a file of the host into the directory: what is served lies there, no
// link leads out.
func (r *netboot) copy(t *testing.T, from, name string) {
	t.Helper()
	content, err := os.ReadFile(from)
	if err != nil {
		t.Fatal(err)
	}
	r.write(t, name, string(content))
}

// loader puts iPXE for UEFI into the directory.
func (r *netboot) loader(t *testing.T) {
	t.Helper()
	const path = "/usr/lib/ipxe/snponly.efi"
	if _, err := os.Stat(path); err != nil {
		t.Skip("needs iPXE for UEFI: type: apt install ipxe")
	}
	r.copy(t, path, "snponly.efi")
}

// web serves the directory by HTTP on the machine, as a server of somebody else.
func (r *netboot) web(t *testing.T) {
	t.Helper()
	var l net.Listener
	if err := r.NS.Do(func() (err error) { l, err = net.Listen("tcp", ":8000"); return err }); err != nil {
		t.Fatal(err)
	}
	files := http.FileServer(http.Dir(r.Dir))
	s := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, q *http.Request) {
		from := netip.MustParseAddrPort(q.RemoteAddr).Addr().Unmap()
		fmt.Fprintf(r.served, "%s over IPv%d %s\n", q.Method, family(from), q.URL)
		files.ServeHTTP(w, q)
	})}
	var wg sync.WaitGroup
	wg.Go(func() { s.Serve(l) })
	t.Cleanup(func() { s.Close(); wg.Wait() })
}

func family(a netip.Addr) int {
	if a.Is4() {
		return 4
	}
	return 6
}

// power lets two guests boot at a time: firmware gives up when it is too slow.
var power = make(chan struct{}, 2)

// boot starts a guest that has nothing but its firmware, and checks that it has
// become the guest whose kernel was served, at the address its firmware had.
func (r *netboot) boot(t *testing.T, f *qemuguest.Firmware) {
	t.Helper()
	power <- struct{}{}
	g, err := qemuguest.Start(t.Context(), qemuguest.Config{
		Assets: r.assets, Firmware: f, Name: "vm1", NS: r.NS, Tap: "vm1", MAC: netbootMAC, Memory: 256,
	})
	<-power
	if err != nil {
		t.Fatalf("%v\nasked for %q by TFTP, %q by HTTP; told\n%s", err, r.asked(), r.served, strings.Join(append(r.told4(), r.told6()...), "\n"))
	}
	t.Cleanup(func() { g.Close() })
	t.Logf("Linux took commands %s after the power was on", g.Boot().Round(time.Millisecond))
	address := r.v4.Last("ACK").V4.YourIPAddr.String()
	out, _, err := g.Run(t.Context(), "hostname; uname -r; ip -4 address show eth0")
	for _, want := range []string{"vm1\n", r.assets.Version + "\n", "inet " + address + "/24"} {
		if err != nil || !strings.Contains(out, want) {
			t.Errorf("the guest says %q, %v; want %q", out, err, want)
		}
	}
	for _, m := range r.v4.Since(time.Time{}) {
		if m.Type == "ACK" && m.V4.YourIPAddr.String() != address {
			t.Errorf("the guest changed its address: %s, then %s", m.V4.YourIPAddr, address)
		}
	}
}

// tellAndReset is the end of a script: it says what DHCP told iPXE. A reset takes the
// last words with it.
const tellAndReset = "echo told ${filename}\necho in ${domain} at ${ip}\necho that is all\nreboot\n"

// tells has the guest obey a script and say the file it was told, its domain and its
// address.
func (r *netboot) tells(t *testing.T, f *qemuguest.Firmware, file string) {
	t.Helper()
	said := r.obeys(t, f)
	for _, want := range []string{"told " + file + "\r\n", fmt.Sprintf("in lab.internal at %s\r\n", r.v4.Last("ACK").V4.YourIPAddr)} {
		if !strings.Contains(said, want) {
			t.Errorf("iPXE does not say %q: %s", want, said)
		}
	}
}

// obeys starts a guest whose script ends in a reset, which QEMU ends with, and
// returns what the firmware wrote. Where the way to the first file is what is
// proven, Linux on top proves nothing more.
func (r *netboot) obeys(t *testing.T, f *qemuguest.Firmware) string {
	t.Helper()
	power <- struct{}{}
	began := time.Now()
	g, err := qemuguest.Start(t.Context(), qemuguest.Config{
		Assets: r.assets, Firmware: f, Name: "vm1", NS: r.NS, Tap: "vm1", MAC: netbootMAC, Memory: 256,
	})
	<-power
	if err == nil {
		g.Close()
	}
	if err == nil || !strings.Contains(err.Error(), "the guest has ended") {
		t.Fatalf("%v, want an end\nasked for %q by TFTP, %q by HTTP; told\n%s", err, r.asked(), r.served, strings.Join(append(r.told4(), r.told6()...), "\n"))
	}
	t.Logf("the script was obeyed %s after the power was on", time.Since(began).Round(time.Millisecond))
	return err.Error()
}

// asked lists the files asked for by TFTP. Firmware asks twice, for the size
// first.
func (r *netboot) asked() (list []string) {
	for _, p := range r.asks.Packets() {
		name, _, _ := bytes.Cut(p.Payload[min(2, len(p.Payload)):], []byte{0})
		list = append(list, fmt.Sprintf("%d %s", family(p.Src), strings.TrimPrefix(string(name), "/")))
	}
	return slices.Compact(list)
}

// bootOptions are those of DHCPv4 a boot client looks at.
var bootOptions = []uint8{66, 67, 150, 60}

// told4 lists what DHCPv4 told boot clients, one line each: who asked, next
// server and file of the header, and options.
func (r *netboot) told4() (list []string) {
	client := map[uint32]string{}
	for _, m := range r.v4.Since(time.Time{}) {
		switch {
		case m.Type == "REQUEST":
			client[m.XID] = bootClient4(m.V4)
		case m.Type == "ACK" && client[m.XID] != "":
			line := fmt.Sprintf("%s: %s %s", client[m.XID], m.V4.ServerIPAddr, m.V4.BootFileName)
			for _, code := range bootOptions {
				if value := m.V4.Options.Get(dhcpv4.GenericOptionCode(code)); value != nil {
					line += fmt.Sprintf(", %d %s", code, value)
				}
			}
			list = append(list, line)
		}
	}
	return slices.Compact(list)
}

// bootClient4 is the class and architecture of a client, "" when it does not boot.
func bootClient4(m *dhcpv4.DHCPv4) string {
	class, _, _ := strings.Cut(m.ClassIdentifier(), ":")
	arch := m.Options.Get(dhcpv4.OptionClientSystemArchitectureType)
	if len(arch) != 2 {
		return ""
	}
	if bytes.Contains(m.Options.Get(dhcpv4.OptionUserClassInformation), []byte("iPXE")) {
		class = "iPXE"
	}
	return fmt.Sprintf("%s %d", class, binary.BigEndian.Uint16(arch))
}

// told6 is told4 of DHCPv6: who asked, the URL, and the class of the answer.
func (r *netboot) told6() (list []string) {
	client := map[uint32]string{}
	for _, m := range r.v6.Since(time.Time{}) {
		switch {
		case m.Type == "REQUEST":
			client[m.XID] = bootClient6(m.V6)
		case m.Type == "REPLY" && client[m.XID] != "" && m.V6.Options.BootFileURL() != "":
			line := fmt.Sprintf("%s: %s", client[m.XID], m.V6.Options.BootFileURL())
			if o := m.V6.GetOneOption(dhcpv6.OptionVendorClass); o != nil {
				line += fmt.Sprintf(", 16 %s", o.ToBytes()[6:]) // after the enterprise and a length
			}
			list = append(list, line)
		}
	}
	return slices.Compact(list)
}

func bootClient6(m *dhcpv6.Message) string {
	arch := m.GetOneOption(dhcpv6.OptionClientArchType)
	if arch == nil {
		return ""
	}
	class := "firmware"
	if o := m.GetOneOption(dhcpv6.OptionUserClass); o != nil && bytes.Contains(o.ToBytes(), []byte("iPXE")) {
		class = "iPXE"
	}
	return fmt.Sprintf("%s %d", class, binary.BigEndian.Uint16(arch.ToBytes()))
}

// same compares what was seen with what should have been, in order.
func same(t *testing.T, what string, got []string, want ...string) {
	t.Helper()
	if !slices.Equal(got, want) {
		t.Errorf("%s:\n\t%s\nwant\n\t%s", what, strings.Join(got, "\n\t"), strings.Join(want, "\n\t"))
	}
}

// linux are the files by which iPXE gets from its first script to Linux.
var linux = []string{"4 boot.ipxe", "4 scripts/second.ipxe", "4 vmlinuz", "4 initramfs.cpio"}

// told is what a client is told of a file at the gateway when it asks for 66, 67
// and 60, and not for 150.
func told(client, file string) string {
	return fmt.Sprintf("%s: 10.9.0.1 %s, 66 10.9.0.1, 67 %s, 60 PXEClient", client, file, file)
}

// TestBIOSBootsFromTheNetwork: the ROM of a virtual NIC is iPXE itself, so it gets
// the script and not the file of its architecture.
func TestBIOSBootsFromTheNetwork(t *testing.T) {
	t.Parallel()
	bios, err := qemuguest.BIOS()
	if err != nil {
		t.Skipf("needs firmware: %v", err)
	}
	const boot = "boot: {tftp: DIR, files: {bios: undionly.kpxe, ipxe: boot.ipxe}}"
	r := newNetboot(t, boot, boot)
	r.boot(t, bios)
	same(t, "DHCPv4", r.told4(), told("iPXE 0", "boot.ipxe"))
	same(t, "DHCPv6", r.told6(), "iPXE 0: tftp://[fd09::1]/boot.ipxe")
	same(t, "TFTP", r.asked(), linux...)
}

// TestPXELINUXBootsFromTheNetwork: without a file for iPXE the ROM gets that of its
// architecture. PXELINUX asks the TFTP server that DHCP told the ROM.
func TestPXELINUXBootsFromTheNetwork(t *testing.T) {
	t.Parallel()
	bios, err := qemuguest.BIOS()
	if err != nil {
		t.Skipf("needs firmware: %v", err)
	}
	const loader, module = "/usr/lib/PXELINUX/pxelinux.0", "/usr/lib/syslinux/modules/bios/ldlinux.c32"
	for _, path := range []string{loader, module} {
		if _, err := os.Stat(path); err != nil {
			t.Skip("needs PXELINUX: type: apt install pxelinux syslinux-common")
		}
	}
	r := newNetboot(t, "boot: {tftp: DIR, files: {bios: pxelinux.0}}", "")
	r.copy(t, loader, "pxelinux.0")
	r.copy(t, module, "ldlinux.c32")
	const config = "pxelinux.cfg/01-52-54-00-00-00-01"
	r.write(t, config, "DEFAULT linux\nLABEL linux\nKERNEL vmlinuz\nAPPEND initrd=initramfs.cpio "+words+"\n")
	r.boot(t, bios)
	same(t, "DHCPv4", r.told4(), told("iPXE 0", "pxelinux.0"))
	same(t, "TFTP", r.asked(), "4 pxelinux.0", "4 ldlinux.c32", "4 "+config, "4 vmlinuz", "4 initramfs.cpio")
}

// TestServerByNameServesIPXE: there is no address to tell, and iPXE looks none up
// but that of a URL.
func TestServerByNameServesIPXE(t *testing.T) {
	t.Parallel()
	bios, err := qemuguest.BIOS()
	if err != nil {
		t.Skipf("needs firmware: %v", err)
	}
	r := newNetboot(t, "boot: {tftp: DIR, server: files.lab.internal, files: {ipxe: scripts/named.ipxe}}", "")
	r.write(t, "first", "one")
	r.write(t, "second", "two")
	r.write(t, "scripts/named.ipxe", "#!ipxe\nimgfetch tftp://files/first\nimgfetch ../second\n"+tellAndReset)
	const url = "tftp://files.lab.internal/scripts/named.ipxe"
	r.tells(t, bios, url)
	same(t, "DHCPv4", r.told4(), "iPXE 0: 0.0.0.0 "+url+", 66 files.lab.internal, 67 "+url+", 60 PXEClient")
	same(t, "DHCPv6", r.told6())
	same(t, "TFTP", r.asked(), "4 scripts/named.ipxe", "4 first", "4 second")
}

// TestOptionsAloneBootIPXE: whoever writes 66 and 67 as options, and no file under
// boot, has them in the header, where iPXE looks.
func TestOptionsAloneBootIPXE(t *testing.T) {
	t.Parallel()
	bios, err := qemuguest.BIOS()
	if err != nil {
		t.Skipf("needs firmware: %v", err)
	}
	r := newNetboot(t, "boot: {tftp: DIR}, options: {tftp-server: 10.9.0.1, boot-file: boot.ipxe}", "")
	r.write(t, "scripts/second.ipxe", "#!ipxe\n"+tellAndReset)
	r.tells(t, bios, "boot.ipxe")
	same(t, "DHCPv4", r.told4(), "iPXE 0: 10.9.0.1 boot.ipxe, 66 10.9.0.1, 67 boot.ipxe")
	same(t, "TFTP", r.asked(), "4 boot.ipxe", "4 scripts/second.ipxe")
}

// TestUEFIBootsFromTheNetwork: the firmware fetches iPXE, and iPXE asks again and
// is told something else.
func TestUEFIBootsFromTheNetwork(t *testing.T) {
	t.Parallel()
	uefi, err := qemuguest.UEFI()
	if err != nil {
		t.Skipf("needs firmware: %v", err)
	}
	const boot = "boot: {tftp: DIR, file: none, files: {bios: none, uefi-x64: snponly.efi, ipxe: boot.ipxe}}"
	r := newNetboot(t, boot, boot)
	r.loader(t)
	r.boot(t, uefi)
	same(t, "DHCPv4", r.told4(), told("PXEClient 7", "snponly.efi"), told("iPXE 7", "boot.ipxe"))
	same(t, "DHCPv6", r.told6(), "iPXE 7: tftp://[fd09::1]/boot.ipxe")
	same(t, "TFTP", r.asked(), append([]string{"4 snponly.efi"}, linux...)...)
}

// TestUEFITriesPXEAndHTTPOverBothFamilies has all ways fail but the last.
func TestUEFITriesPXEAndHTTPOverBothFamilies(t *testing.T) {
	t.Parallel()
	uefi, err := qemuguest.UEFI()
	if err != nil {
		t.Skipf("needs firmware: %v", err)
	}
	r := newNetboot(t,
		`boot: {tftp: DIR, files: {uefi-x64: none4.efi, http-x64: "http://boot.lab.internal:8000/none.efi", ipxe: boot.ipxe}}`,
		`boot: {tftp: DIR, files: {uefi-x64: none6.efi, http-x64: "http://boot.lab.internal:8000/snponly.efi", ipxe: boot.ipxe}}`)
	r.loader(t)
	r.web(t)
	r.write(t, "scripts/second.ipxe", "#!ipxe\n"+tellAndReset)
	r.tells(t, uefi, "boot.ipxe")
	const url = "http://boot.lab.internal:8000/none.efi"
	same(t, "DHCPv4", r.told4(), told("PXEClient 7", "none4.efi"), "HTTPClient 16: 10.9.0.1 "+url+", 67 "+url+", 60 HTTPClient", told("iPXE 7", "boot.ipxe"))
	same(t, "DHCPv6", r.told6(), "firmware 7: tftp://[fd09::1]/none6.efi", "firmware 16: http://boot.lab.internal:8000/snponly.efi, 16 HTTPClient", "iPXE 7: tftp://[fd09::1]/boot.ipxe")
	same(t, "TFTP", r.asked(), "4 none4.efi", "6 none6.efi", "4 boot.ipxe", "4 scripts/second.ipxe")
	same(t, "HTTP", slices.Compact(strings.FieldsFunc(r.served.String(), func(c rune) bool { return c == '\n' })),
		"HEAD over IPv4 /none.efi", "GET over IPv4 /none.efi", "HEAD over IPv6 /snponly.efi", "GET over IPv6 /snponly.efi")
}
