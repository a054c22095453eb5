package dhcp4

import (
	"bytes"
	"encoding/binary"
	"strings"

	"github.com/insomniacslk/dhcp/dhcpv4"

	"kvmnet/internal/plan"
)

// bootClient is what a message tells of the client's wish to boot from the
// network.
type bootClient struct {
	pxe, http, ipxe bool
	arch            int    // option 93, -1 = not told
	machine         []byte // option 97
}

// architectures are the kinds of clients by option 93 (RFC 4578 section 2.1 and
// IANA's list of processor architecture types).
var architectures = map[int]string{
	0: "bios", 6: "uefi-x86", 7: "uefi-x64", 9: "uefi-x64", 11: "uefi-arm64", 16: "http-x64", 19: "http-arm64",
}

func readBootClient(o dhcpv4.Options) bootClient {
	class := o[optVendorClass]
	c := bootClient{
		pxe:     bytes.HasPrefix(class, []byte("PXEClient")),
		http:    bytes.HasPrefix(class, []byte("HTTPClient")),
		ipxe:    len(o[optIPXE]) > 0 || bytes.Contains(o[optUserClass], []byte("iPXE")),
		arch:    -1,
		machine: o[optMachineID],
	}
	if b := o[optArchitecture]; len(b) >= 2 {
		c.arch = int(binary.BigEndian.Uint16(b))
	}
	return c
}

// file is what the client boots, "" for nothing. A client that fetches by HTTP
// gets a URL or nothing; iPXE does not get the file of its architecture unless
// there is no other, because that file most often is iPXE itself.
func (c bootClient) file(b *plan.Boot) string {
	arch := b.Files[architectures[c.arch]]
	if c.arch < 0 && c.pxe {
		arch = b.Files["bios"] // ROMs older than RFC 4578
	}
	switch {
	case c.ipxe:
		return first(b.Files["ipxe"], b.File, arch)
	case c.http && arch == "" && !strings.Contains(b.File, "://"):
		return ""
	}
	return first(arch, b.File)
}

func first(list ...string) string {
	for _, s := range list {
		if s != "" {
			return s
		}
	}
	return ""
}

// discoveryControl is option 43 of PXE: sub-option 6 with bit 3 set, "boot the
// file named here, look for no boot server" (PXE specification 2.1, table 2-1),
// and the end mark.
const discoveryControl = "\x06\x01\x08\xff"

// boot adds what the client needs to boot from the network.
func (m *message) boot(q *query, b *plan.Boot) {
	if b == nil || !(q.boot.pxe || q.boot.http || q.boot.ipxe || q.params != nil && (q.wants(optBootFile) || q.wants(optTFTPServer))) {
		return
	}
	file := q.boot.file(b)
	if file == "" {
		return
	}
	m.siaddr, m.sname, m.file = b.Server, b.Name, file
	server := b.Name
	if server == "" && b.Server.IsValid() {
		server = b.Server.String()
	}
	if q.boot.http || q.wants(optBootFile) || len(file) > maxFile {
		m.add(optBootFile, file)
	}
	if q.wants(optTFTPServer) && server != "" {
		m.add(optTFTPServer, server)
	}
	if q.params != nil && q.wants(optTFTPAddresses) && b.Server.IsValid() {
		m.add(optTFTPAddresses, string(b.Server.AsSlice()))
	}
	m.bootClass(q)
}

// bootClass echoes the class the client expects of a boot server.
func (m *message) bootClass(q *query) {
	switch {
	case q.boot.http:
		m.add(optVendorClass, "HTTPClient") // UEFI specification, section 24.7.2
	case q.boot.pxe:
		m.add(optVendorClass, "PXEClient")
		m.add(optVendorInfo, discoveryControl)
		if len(q.boot.machine) > 0 {
			m.add(optMachineID, string(q.boot.machine))
		}
	}
}
