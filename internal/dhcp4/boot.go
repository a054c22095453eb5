package dhcp4

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"net/netip"
	"net/url"
	"strings"

	"github.com/insomniacslk/dhcp/dhcpv4"

	"kvmnet/internal/plan"
	"kvmnet/internal/spec"
)

// bootClient is what a message tells of the client's wish to boot from the
// network.
type bootClient struct {
	pxe, http, ipxe bool
	arch            string // the kind of client that option 93 tells, one of spec.BootClients; "" = none of them
	told            bool   // there is an option 93
	machine         []byte // option 97
}

func readBootClient(o dhcpv4.Options) bootClient {
	class := o[optVendorClass]
	c := bootClient{
		pxe:     bytes.HasPrefix(class, []byte("PXEClient")),
		http:    bytes.HasPrefix(class, []byte("HTTPClient")),
		ipxe:    len(o[optIPXE]) > 0 || bytes.Contains(o[optUserClass], []byte("iPXE")),
		machine: o[optMachineID],
	}
	if b := o[optArchitecture]; len(b) >= 2 {
		c.arch, c.told = spec.BootClient(binary.BigEndian.Uint16(b)), true
	}
	return c
}

// file is what the client boots, "" for nothing. A client that fetches by HTTP
// gets a URL or nothing; iPXE does not get the file of its architecture unless
// there is no other, because that file most often is iPXE itself.
func (c bootClient) file(b *plan.Boot) string {
	arch := b.Files[c.arch]
	if !c.told && c.pxe {
		arch = b.Files["bios"] // ROMs older than RFC 4578
	}
	switch {
	case c.ipxe:
		return cmp.Or(b.Files["ipxe"], b.File, arch)
	case c.http && arch == "" && !strings.HasPrefix(b.File, "http://") && !strings.HasPrefix(b.File, "https://"):
		return ""
	}
	return cmp.Or(arch, b.File)
}

// discoveryControl is option 43 of PXE: sub-option 6 with bit 3 set, "boot the
// file named here, look for no boot server" (PXE specification 2.1, table 2-1),
// and the end mark.
const discoveryControl = "\x06\x01\x08\xff"

// boot adds what the client needs to boot from the network. What the options say
// of it counts before what b says.
func (m *message) boot(q *query, b *plan.Boot) {
	file := ""
	if b != nil && (q.boot.pxe || q.boot.http || q.boot.ipxe || q.params != nil && (q.wants(optBootFile) || q.wants(optTFTPServer))) {
		file = q.boot.file(b)
	}
	if file != "" {
		if q.boot.ipxe {
			file = urlOf(file, b)
		}
		m.siaddr, m.sname, m.file = b.Server, b.Name, file
	}
	m.bootHeader()
	if file != "" {
		m.bootOptions(q, b, file)
	}
}

// bootHeader has the header say what the options say: firmware reads it first, and
// iPXE looks for a server nowhere else.
func (m *message) bootHeader() {
	for _, o := range m.options {
		switch o.code {
		case optBootFile:
			m.file = o.data
		case optTFTPServer:
			m.siaddr, m.sname = netip.Addr{}, o.data
			if a, err := netip.ParseAddr(o.data); err == nil && a.Is4() {
				m.siaddr, m.sname = a, ""
			}
		}
	}
}

func (m *message) bootOptions(q *query, b *plan.Boot, file string) {
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
	if q.params != nil && q.wants(optTFTPAddresses) && m.siaddr.IsValid() {
		m.add(optTFTPAddresses, string(m.siaddr.AsSlice()))
	}
	m.bootClass(q)
}

// urlOf makes a URL of a path on a server that is known by name only: iPXE looks
// up names in URLs, and no server by options 66 and 67.
func urlOf(file string, b *plan.Boot) string {
	if b.Server.IsValid() || strings.Contains(file, "://") {
		return file
	}
	return (&url.URL{Scheme: "tftp", Host: b.Name, Path: "/" + strings.TrimPrefix(file, "/")}).String()
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
