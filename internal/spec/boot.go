package spec

import (
	"maps"
	"net/netip"
	"net/url"
	gopath "path"
	"slices"
	"strings"
)

// bootSchemes are those that network boot programs fetch by.
var bootSchemes = []string{"tftp", "http", "https", "ftp", "nfs"}

// longestBootFile is what fits one DHCPv4 option 67.
const longestBootFile = 255

// boot checks what guests are told to boot.
func (c *checker) boot(path string, b *Boot) {
	if b == nil {
		return
	}
	if _, err := netip.ParseAddr(b.Server); err != nil && b.Server != "" {
		c.addError(Field(path, "server"), "write an address or a host name", CheckHostName(b.Server))
	} else if b.Server != "" {
		c.addError(Field(path, "server"), "", checkUnicast(netip.MustParseAddr(b.Server)))
	}
	c.tftp(Field(path, "tftp"), b.TFTP)
	if b.File != "" {
		c.bootFile(Field(path, "file"), "", b.File, b)
	}
	for _, client := range slices.Sorted(maps.Keys(b.Files)) {
		p := Field(Field(path, "files"), client)
		if !slices.Contains(BootClients, client) {
			c.add(p, oneOf(client, "kinds", BootClients), "%q is not a kind of client", client)
			continue
		}
		c.bootFile(p, client, b.Files[client], b)
	}
}

func (c *checker) tftp(path, dir string) {
	switch {
	case dir == "" || c.addError(path, "", checkLine(dir)):
	case !gopath.IsAbs(dir):
		c.add(path, "write it from the root, for instance /srv/tftp", "%q is not the full path of a directory", dir)
	case gopath.Clean(dir) == "/":
		c.add(path, "name a directory for it, for instance /srv/tftp", "guests would read every file of the host")
	}
}

// bootFile checks a path on the TFTP server, or a URL.
func (c *checker) bootFile(path, client, file string, b *Boot) {
	isURL := strings.Contains(file, "://")
	switch {
	case file == "":
		c.add(path, "", "the file is missing")
	case c.addError(path, "", checkLine(file)):
	case len(file) > longestBootFile:
		c.add(path, "", "the file has %d characters, at most %d can be told", len(file), longestBootFile)
	case isURL:
		c.bootURL(path, file)
	case strings.HasPrefix(client, "http-"):
		c.add(path, "write http://… or https://…", "%q is not a URL, these clients boot by HTTP only", file)
	case b.TFTP == "" && b.Server == "":
		c.add(path, "add tftp with a directory, or server, or write a URL", "there is no server to fetch %q from", file)
	}
}

func (c *checker) bootURL(path, file string) {
	u, err := url.Parse(file)
	switch {
	case err != nil || u.Host == "":
		c.add(path, "write it as http://server/path", "%q is not a URL", file)
	case !slices.Contains(bootSchemes, u.Scheme):
		c.add(path, "the schemes are "+orList(bootSchemes), "nothing boots by %q", u.Scheme)
	}
}

// bootClients are the kinds of clients by processor architecture type (IANA's list
// for RFC 4578 section 2.1 and RFC 5970 section 3.3); 7 is what x64 firmware says
// that was written before the erratum of RFC 4578.
var bootClients = map[uint16]string{
	0: "bios", 6: "uefi-x86", 7: "uefi-x64", 9: "uefi-x64", 11: "uefi-arm64", 16: "http-x64", 19: "http-arm64",
}

// BootClient is the kind of client with that processor architecture type, as option
// 93 of DHCPv4 and 61 of DHCPv6 tell it; "" = one that BootClients lacks.
func BootClient(architecture uint16) string { return bootClients[architecture] }
