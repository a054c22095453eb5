package lease

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"net/netip"
	"slices"
	"strconv"
	"time"

	"kvmnet/internal/spec"
)

// dropped is the state of the record of a network that is gone.
const dropped = "dropped"

// checksum is by the polynomial for which processors have an instruction. Its tables are
// made when they are needed first: programs that keep no leases do not wait for them.
func checksum(b []byte) uint32 { return crc32.Checksum(b, crc32.MakeTable(crc32.Castagnoli)) }

// record is a line of the book as JSON: what is known of an address from then
// on.
type record struct {
	Net     string     `json:"net"`
	IP      netip.Addr `json:"ip"`
	MAC     spec.MAC   `json:"mac"`
	IAID    uint32     `json:"iaid"`
	ID      string     `json:"id"` // hex
	Port    string     `json:"port"`
	Host    string     `json:"host"`
	Begun   time.Time  `json:"begun"`
	Expires time.Time  `json:"expires"`
	State   string     `json:"state"`
}

// appendRecord writes a lease as a line. A lease without an address is the end
// of its network. It is written by hand since every renewal passes here.
func appendRecord(b []byte, l Lease) []byte {
	start := len(b)
	b = append(b, "00000000 "...)
	b = appendLease(b, l)
	var sum [4]byte
	binary.BigEndian.PutUint32(sum[:], checksum(b[start+9:]))
	hex.Encode(b[start:], sum[:])
	return append(b, '\n')
}

func appendLease(b []byte, l Lease) []byte {
	b = append(b, `{"net":`...)
	b = appendString(b, l.Network)
	if !l.Addr.IsValid() {
		return append(b, `,"state":"`+dropped+`"}`...)
	}
	b = append(b, `,"ip":"`...)
	b = append(l.Addr.AppendTo(b), '"')
	b = appendClient(b, l.Client)
	b = appendTime(b, `,"begun":"`, l.Begun)
	b = appendTime(b, `,"expires":"`, l.Expires)
	b = append(b, `,"state":"`...)
	return append(append(b, l.State.String()...), `"}`...)
}

func appendClient(b []byte, c Client) []byte {
	if !c.MAC.IsZero() {
		b = append(b, `,"mac":"`...)
		for i, octet := range c.MAC {
			if i > 0 {
				b = append(b, ':')
			}
			b = hex.AppendEncode(b, []byte{octet})
		}
		b = append(b, '"')
	}
	if c.IAID != 0 {
		b = append(b, `,"iaid":`...)
		b = strconv.AppendUint(b, uint64(c.IAID), 10)
	}
	if c.ClientID != "" {
		b = append(b, `,"id":"`...)
		b = append(hex.AppendEncode(b, []byte(c.ClientID)), '"')
	}
	b = appendField(b, `,"port":`, c.Port)
	return appendField(b, `,"host":`, c.Hostname)
}

func appendField(b []byte, name, value string) []byte {
	if value == "" {
		return b
	}
	return appendString(append(b, name...), value)
}

// appendString quotes plain names itself and leaves the rest to encoding/json.
func appendString(b []byte, s string) []byte {
	for _, c := range []byte(s) {
		if c < ' ' || c > '~' || c == '"' || c == '\\' {
			quoted, _ := json.Marshal(s) // of a string there is no error
			return append(b, quoted...)
		}
	}
	b = append(b, '"')
	b = append(b, s...)
	return append(b, '"')
}

func appendTime(b []byte, name string, t time.Time) []byte {
	if t.IsZero() {
		return b
	}
	b = append(b, name...)
	return append(t.AppendFormat(b, time.RFC3339Nano), '"')
}

// parseRecord is the inverse of appendRecord, for a line without its end.
func parseRecord(line []byte) (Lease, error) {
	sum, text, found := bytes.Cut(line, []byte(" "))
	want, err := strconv.ParseUint(string(sum), 16, 32)
	if !found || err != nil || len(sum) != 8 {
		return Lease{}, errors.New("it does not begin with a checksum")
	}
	if checksum(text) != uint32(want) {
		return Lease{}, errors.New("its checksum is wrong")
	}
	var r record
	if !r.scan(text) {
		r = record{}
		if err := json.Unmarshal(text, &r); err != nil {
			return Lease{}, err
		}
	}
	return r.lease()
}

// lease checks what the rest of the room takes for granted.
func (r record) lease() (Lease, error) {
	l := Lease{Network: r.Net, Addr: r.IP, Begun: wall(r.Begun), Expires: wall(r.Expires)}
	if r.Net == "" {
		return Lease{}, errors.New("it names no network")
	}
	if r.State == dropped {
		return Lease{Network: r.Net}, nil
	}
	state := slices.Index(states[:], r.State)
	id, err := hex.DecodeString(r.ID)
	if state < 0 || err != nil {
		return Lease{}, fmt.Errorf("state %q, client id %q: not known", r.State, r.ID)
	}
	l.State = State(state)
	if !r.IP.IsValid() || r.IP.Zone() != "" || r.IP.Is4In6() {
		return Lease{}, fmt.Errorf("%v is not an address that is leased", r.IP)
	}
	l.Client = Client{r.IP.Is6(), r.MAC, r.IAID, string(id), r.Port, r.Host}
	if l.State == Bound && l.MAC.IsZero() {
		return Lease{}, errors.New("it is bound to no MAC")
	}
	return l, nil
}
