package libvirtxml

import (
	"cmp"
	"slices"
	"strconv"
	"strings"

	"kvmnet/internal/spec"
)

// readTags finds the tags that stand for a kind of client, in whatever line.
func (t *translation) readTags(lines []string) {
	if t.tags == nil {
		t.tags = map[string]string{}
	}
	for _, text := range lines {
		for part := range strings.SplitSeq(text, "\n") {
			if l, ok := parseDnsmasqLine(part); ok {
				if tag, client := clientTag(l); client != "" {
					t.tags[tag] = client
				}
			}
		}
	}
}

// clientTag is the tag that a line sets, and the kind of client it is set for: by the
// architecture in option 93, by the vendor class that says the same, by what iPXE
// alone sends.
func clientTag(l dnsmasqLine) (tag, client string) {
	fields := slices.DeleteFunc(slices.Clone(l.fields), func(f string) bool { return strings.HasPrefix(f, "enterprise:") })
	if len(fields) < 2 {
		return "", ""
	}
	tag = strings.TrimPrefix(fields[0], "set:")
	what, value := strings.TrimPrefix(strings.TrimPrefix(fields[1], "option:"), "option6:"), strings.Join(fields[2:], ",")
	switch l.key {
	case "dhcp-match":
		switch {
		case what == "175", what == "user-class" && value == "iPXE", what == "77" && value == "iPXE":
			return tag, "ipxe"
		case what == "client-arch", what == "93":
			return tag, architecture(value)
		}
	case "dhcp-userclass":
		if what == "iPXE" {
			return tag, "ipxe"
		}
	case "dhcp-vendorclass":
		if _, number, has := strings.Cut(what, ":Arch:"); has {
			return tag, architecture(number[:min(len(number), len("00000"))])
		}
	}
	return "", ""
}

func architecture(number string) string {
	base := 10
	if strings.HasPrefix(number, "0x") {
		number, base = number[2:], 16
	}
	n, err := strconv.ParseUint(number, base, 16)
	if err != nil {
		return ""
	}
	return spec.BootClient(uint16(n))
}

// lineMatch is for the lines that readTags knows already.
func (t *translation) lineMatch(_ string, fields []string) string {
	if len(fields) > 0 && t.tags[strings.TrimPrefix(fields[0], "set:")] != "" {
		return ""
	}
	return noTags
}

// tagged tells for which kind of client a line is, "" for all, and leaves its other
// fields. Not to be another kind is what it is to be any.
func (t *translation) tagged(fields []string) (client string, rest []string, ok bool) {
	for i, f := range fields {
		tag, is := strings.CutPrefix(f, "tag:")
		if !is {
			tag, is = strings.CutPrefix(f, "net:")
		}
		if !is {
			return client, fields[i:], true
		}
		tag, not := strings.CutPrefix(tag, "!")
		kind := t.tags[tag]
		switch {
		case kind == "" || !not && client != "":
			return "", nil, false
		case !not:
			client = kind
		}
	}
	return client, nil, true
}

// lineBoot tells guests a file, and where it is.
func (t *translation) lineBoot(place string, fields []string) string {
	client, rest, ok := t.tagged(fields)
	switch {
	case !ok:
		return noTags
	case len(rest) == 0 || rest[0] == "":
		return "it names no file"
	}
	server := ""
	if len(rest) > 1 {
		server = rest[1]
	}
	if len(rest) > 2 && rest[2] != "" {
		server = rest[2]
	}
	because := noDHCP
	t.served(false, func(path string, s *spec.Subnet) {
		because = t.bootFile(spec.Field(path, "boot"), place, s, client, rest[0], server)
	})
	return because
}

// bootFile tells a kind of clients a file. The path is on the server that is named, or
// on the gateway; all paths of a subnet are on one server.
func (t *translation) bootFile(path, place string, s *spec.Subnet, client, file, server string) string {
	b, gateway := bootIn(s), s.Address.Addr().String()
	if server != "" || !isURL(file) {
		if hasPath(b) && cmp.Or(b.Server, gateway) != cmp.Or(server, gateway) {
			return "all kinds of clients have one server here"
		}
		if b.Server == "" && (server != "" || b.TFTP == "") {
			b.Server = cmp.Or(server, gateway)
			t.put(spec.Field(path, "server"), place)
		}
	}
	if client == "" {
		b.File = file
		t.put(spec.Field(path, "file"), place)
		return ""
	}
	setEntry(&b.Files, client, file)
	t.put(spec.Field(spec.Field(path, "files"), client), place)
	return ""
}

func isURL(file string) bool { return strings.Contains(file, "://") }

// hasPath reports whether clients are told a file on a server that is told besides.
func hasPath(b *spec.Boot) bool {
	for _, file := range b.Files {
		if !isURL(file) {
			return true
		}
	}
	return b.File != "" && !isURL(b.File)
}
