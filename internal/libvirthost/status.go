package libvirthost

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"net/netip"
	"strconv"
	"strings"
	"time"

	"kvmnet/internal/api"
	"kvmnet/internal/spec"
)

// status is a lease as libvirt's lease helper writes it: into a JSON list for each
// bridge, which is empty text while there was none.
type status struct {
	IP       string      `json:"ip-address"`
	MAC      string      `json:"mac-address"`
	Hostname string      `json:"hostname"`
	ClientID string      `json:"client-id"` // DUID of DHCPv6
	Expiry   json.Number `json:"expiry-time"`
	IAID     string      `json:"iaid"` // DHCPv6, decimal
}

// parseStatus reads the leases of a bridge. One that makes no sense is told and left
// out.
func parseStatus(text []byte) (list []api.Lease, notes []string, err error) {
	if len(bytes.TrimSpace(text)) == 0 {
		return nil, nil, nil
	}
	var all []json.RawMessage
	if err := json.Unmarshal(text, &all); err != nil {
		return nil, nil, fmt.Errorf("not a list of leases: %w", err)
	}
	for i, raw := range all {
		var s status
		l, err := api.Lease{}, errors.New("it is not written as one")
		if json.Unmarshal(raw, &s) == nil {
			l, err = s.lease()
		}
		if err != nil {
			notes = append(notes, fmt.Sprintf("lease %d is left out: %v", i+1, err))
			continue
		}
		list = append(list, l)
	}
	return list, notes, nil
}

func (s status) lease() (api.Lease, error) {
	l := api.Lease{Hostname: s.Hostname, ClientID: s.ClientID}
	err := cmp.Or(setAddress(&l, s.IP, 0), setMAC(&l, s.MAC), setIAID(&l, s.IAID), setExpiry(&l, s.Expiry.String()))
	return l, err
}

// setAddress sets the address of a lease; a length of 0 is that of a single one.
func setAddress(l *api.Lease, text string, bits int) error {
	a, err := netip.ParseAddr(text)
	if err != nil || a.Zone() != "" || a.Is4In6() {
		return fmt.Errorf("%q is not an address", text)
	}
	if bits <= 0 || bits > a.BitLen() {
		bits = a.BitLen()
	}
	l.Address, l.Protocol, l.State = netip.PrefixFrom(a, bits), "ipv4", "bound"
	if a.Is6() {
		l.Protocol = "ipv6"
	}
	return nil
}

func setMAC(l *api.Lease, text string) (err error) {
	if text == "" {
		return fmt.Errorf("%s has no MAC, by which leases are kept here", l.Address.Addr())
	}
	l.MAC, err = spec.ParseMAC(text)
	return err
}

// setIAID reads an identity association; what is temporary has a T in front.
func setIAID(l *api.Lease, text string) error {
	if text == "" {
		return nil
	}
	if strings.HasPrefix(text, "T") {
		return fmt.Errorf("%s is temporary", l.Address.Addr())
	}
	n, err := strconv.ParseUint(text, 10, 32)
	if err != nil {
		return fmt.Errorf("%q is not an IAID", text)
	}
	l.IAID = uint32(n)
	return nil
}

// setExpiry reads seconds since 1970; 0 is a lease without end.
func setExpiry(l *api.Lease, text string) error {
	n, err := strconv.ParseInt(text, 10, 64)
	switch {
	case text != "" && (err != nil || n < 0 || n > latest):
		return fmt.Errorf("%q is not a time", text)
	case n > 0:
		end := time.Unix(n, 0).UTC()
		l.Expires = &end
	}
	return nil
}

// latest is the end of the year 9999, the last that JSON can tell (RFC 3339).
const latest = 253402300799
