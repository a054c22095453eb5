package libvirthost

import (
	"cmp"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"

	"kvmnet/internal/api"
)

// parseLeaseFile reads dnsmasq's own lease file: a lease a line, as "expiry MAC
// address name client-id" with * for what is not known. Those of DHCPv6 have the
// IAID in the place of the MAC, and the DUID for the client id.
func parseLeaseFile(text []byte) (list []api.Lease, notes []string, err error) {
	for i, line := range strings.Split(string(text), "\n") {
		words := strings.Fields(line)
		if len(words) == 0 || words[0] == "duid" { // the server's own
			continue
		}
		l, err := parseLeaseLine(words)
		if err != nil {
			notes = append(notes, fmt.Sprintf("line %d is left out: %v", i+1, err))
			continue
		}
		list = append(list, l)
	}
	return list, notes, nil
}

func parseLeaseLine(words []string) (api.Lease, error) {
	if len(words) != 5 {
		return api.Lease{}, errors.New("it is not a lease of five words")
	}
	for i := range words {
		if words[i] == "*" {
			words[i] = ""
		}
	}
	l := api.Lease{Hostname: words[3], ClientID: words[4]}
	if err := cmp.Or(setExpiry(&l, words[0]), setAddress(&l, words[2], 0)); err != nil {
		return l, err
	}
	if l.Protocol == "ipv4" {
		return l, setMAC(&l, words[1])
	}
	return l, cmp.Or(setIAID(&l, words[1]), setMAC(&l, macOfDUID(words[4])))
}

// macOfDUID is the Ethernet address that a DUID is made of (RFC 8415 sections 11.2
// and 11.4), "" when it is made of something else.
func macOfDUID(duid string) string {
	b, err := hex.DecodeString(strings.ReplaceAll(duid, ":", ""))
	if err != nil || len(b) < 4 || b[0] != 0 || b[2] != 0 || b[3] != 1 {
		return ""
	}
	switch {
	case b[1] == 1 && len(b) == 14, b[1] == 3 && len(b) == 10:
		parts := strings.Split(duid, ":")
		return strings.Join(parts[len(parts)-min(6, len(parts)):], ":")
	}
	return ""
}
