package tftp

import (
	"bytes"
	"fmt"
	"strings"
	"testing"
)

func rrq(name, mode string, options ...string) []byte {
	b := []byte{0, opRead}
	for _, field := range append([]string{name, mode}, options...) {
		b = append(append(b, field...), 0)
	}
	return b
}

func TestParse(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		in   []byte
		want string
	}{
		"plain":              {rrq("pxelinux.0", "octet"), "pxelinux.0 false []"},
		"from the root":      {rrq("/boot/x", "OCTET"), "boot/x false []"},
		"Windows":            {rrq(`\Boot\BCD`, "octet"), "Boot/BCD false []"},
		"upwards":            {rrq("../../etc/passwd", "octet"), "etc/passwd false []"},
		"upwards inside":     {rrq("a/../b", "octet"), "b false []"},
		"the directory":      {rrq("/", "octet"), ". false []"},
		"text":               {rrq("motd", "netascii"), "motd true []"},
		"options":            {rrq("x", "octet", "BLKSIZE", "1468", "tsize", "0"), "x false [{blksize 1468} {tsize 0}]"},
		"half an option":     {rrq("x", "octet", "tsize"), "x false []"},
		"no final zero":      {bytes.TrimSuffix(rrq("x", "octet", "tsize", "0"), []byte{0}), "x false [{tsize 0}]"},
		"mail":               {rrq("root", "mail"), "malformed request"},
		"no name":            {rrq("", "octet"), "malformed request"},
		"no mode":            {[]byte("\x00\x01name\x00"), "malformed request"},
		"an acknowledgement": {[]byte{0, opAck, 0, 1}, "malformed request"},
		"nothing":            {nil, "malformed request"},
	} {
		r, err := parse(c.in)
		got := fmt.Sprint(r.name, " ", r.text, " ", r.options)
		if err != nil {
			got = err.Error()
		}
		if got != c.want {
			t.Errorf("%s: want %q, got %q", name, c.want, got)
		}
	}
}

func TestNegotiate(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		options []option
		want    string
	}{
		"none":                   {nil, "512 1 0 []"},
		"all":                    {[]option{{"tsize", "0"}, {"blksize", "1024"}, {"timeout", "3"}, {"windowsize", "16"}}, "1024 16 3 [{tsize 100} {blksize 1024} {timeout 3} {windowsize 16}]"},
		"more than a packet":     {[]option{{"blksize", "65464"}}, "1468 1 0 [{blksize 1468}]"},
		"more than we send":      {[]option{{"windowsize", "65535"}}, "512 64 0 [{windowsize 64}]"},
		"too small":              {[]option{{"blksize", "7"}, {"windowsize", "0"}, {"timeout", "0"}}, "512 1 0 []"},
		"too large":              {[]option{{"blksize", "65465"}, {"windowsize", "65536"}, {"timeout", "200"}}, "512 1 0 []"},
		"no number":              {[]option{{"blksize", "big"}, {"tsize", ""}}, "512 1 0 []"},
		"unknown":                {[]option{{"multicast", "1"}, {"blksize", "600"}}, "600 1 0 [{blksize 600}]"},
		"twice, the first holds": {[]option{{"blksize", "600"}, {"blksize", "700"}}, "600 1 0 [{blksize 600}]"},
	} {
		terms := negotiate(c.options, 100, 1468)
		if got := fmt.Sprint(terms.block, terms.window, terms.timeout, " ", terms.answer); got != c.want {
			t.Errorf("%s: want %s, got %s", name, c.want, got)
		}
	}
	if got := negotiate([]option{{"tsize", "0"}}, 100, 1468).oack(); string(got) != "\x00\x06tsize\x00100\x00" {
		t.Errorf("acknowledged as %q", got)
	}
}

func FuzzParse(f *testing.F) {
	f.Add(rrq("pxelinux.0", "octet", "blksize", "1468", "tsize", "0"))
	f.Add(rrq(`..\..\x`, "netascii", "windowsize", "64"))
	f.Add([]byte{0, opWrite, 'x', 0})
	f.Add([]byte{0, opError, 0, 0, 0})
	f.Fuzz(func(t *testing.T, b []byte) {
		r, err := parse(b)
		if err != nil {
			return
		}
		if strings.HasPrefix(r.name, "/") || strings.HasPrefix(r.name, "..") && (len(r.name) == 2 || r.name[2] == '/') {
			t.Errorf("name %q", r.name)
		}
		terms := negotiate(r.options, 1000, 1468)
		if terms.block < smallest || terms.block > 1468 || terms.window < 1 || terms.window > mostWindow || len(terms.oack()) > 200 {
			t.Errorf("terms %+v", terms)
		}
	})
}
