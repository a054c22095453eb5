package hostname

import (
	"strings"
	"testing"
)

func TestHostnamesAreClean(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		"vm1": "vm1", "VM1": "vm1", "vm1.example.org": "vm1", "web_1": "web-1", "a b": "a-b", "-a-": "a", "": "", "...": "", "---": "",
		"localhost": "", "LocalHost.localdomain": "", "wpad": "", "ISATAP": "", "vm1\x00": "vm1", "\x00": "", "büro": "b-ro", "日本": "",
		strings.Repeat("a", 70): strings.Repeat("a", 63), strings.Repeat("a", 62) + "--b": strings.Repeat("a", 62), "\xff\xfe": "", "a\nb": "a-b", "*": "", "-wpad-": "",
	} {
		if got := Clean(in); got != want {
			t.Errorf("%q: want %q, got %q", in, want, got)
		}
	}
}

func TestWireForm(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ label, domain, want string }{
		{"vm1", "lab.internal", "\x03vm1\x03lab\x08internal\x00"},
		{"vm1", "lab.internal.", "\x03vm1\x03lab\x08internal\x00"},
		{"vm1", "", "\x03vm1"},
	} {
		got := AppendWire([]byte{7}, c.label, c.domain)
		if string(got) != "\x07"+c.want {
			t.Errorf("%s in %q: %q", c.label, c.domain, got)
		}
		if label := FirstLabel(got[1:]); label != c.label {
			t.Errorf("%q reads as %q", got, label)
		}
	}
	for _, broken := range []string{"", "\x00", "\x04vm1", "\xc0\x0c", "\x40" + strings.Repeat("a", 64)} {
		if label := FirstLabel([]byte(broken)); label != "" {
			t.Errorf("%q reads as %q", broken, label)
		}
	}
}

// FuzzClean: whatever a guest says, its name is a label that fits into a zone, and
// cleaning it again changes nothing.
func FuzzClean(f *testing.F) {
	for _, s := range []string{"vm1", "VM1.example.org", "a b", "-wpad-", "büro", "\x00", strings.Repeat("a-", 40)} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, name string) {
		label := Clean(name)
		if len(label) > maxLabel || strings.Trim(label, "-") != label || Clean(label) != label || refused[label] {
			t.Errorf("%q becomes %q", name, label)
		}
		if label != "" && FirstLabel(AppendWire(nil, label, "lab")) != label {
			t.Errorf("%q does not come back from the wire", label)
		}
	})
}
