package cli

import (
	"errors"
	"maps"
	"slices"
	"strings"
	"testing"
)

// TestArgumentsAreReadAsVirshReadsThem has what virsh 9.0 took, or said.
func TestArgumentsAreReadAsVirshReadsThem(t *testing.T) {
	for _, c := range []struct {
		line string
		want string // "name=value …" in order of the names, or the error
	}{
		{"net-list", ""},
		{"net-list --all --name", "all= name="},
		{"net-list --foo", "command 'net-list' doesn't support option --foo"},
		{"net-list foo", "unexpected data 'foo'"},
		{"net-list -q", "unexpected data '-q'"},
		{"net-list --all --all", "option --all already seen"},
		{"net-list --all=1", "invalid '=' after option --all"},
		{"net-list --help=x", "invalid '=' after option --help"},
		{"net-list --help foo", "unexpected data 'foo'"},
		{"net-list -- --all", "unexpected data '--all'"},
		{"net-list --", ""},
		{"net-list ---all", "unexpected data '---all'"},
		{"net-list -o json", "output=json"},
		{"net-list -o=json", "output=json"},
		{"net-list --output yaml --all", "all= output=yaml"},
		{"net-list -o", "expected syntax: --output <string>"},
		{"net-start", "command 'net-start' requires <network> option"},
		{"net-start --help", ""},
		{"net-start lab", "network=lab"},
		{"net-start --network lab", "network=lab"},
		{"net-start --network=lab", "network=lab"},
		{"net-start --network=", "network="},
		{"net-start --network", "expected syntax: --network <string>"},
		{"net-start --network --all", "network=--all"},
		{"net-start lab red", "unexpected data 'red'"},
		{"net-start lab --network red", "option --network already seen"},
		{"net-start -- --lab", "network=--lab"},
		{"net-start -x", "network=-x"},
		{"net-start -o", "network=-o"},
		{"net-start -", "network=-"},
		{"net-start lab --socket /s", "network=lab socket=/s"},
		{"net-dumpxml lab //ip", "unexpected data '//ip'"},
		{"net-dumpxml --xpath //ip lab --wrap", "network=lab wrap= xpath=//ip"},
		{"net-dhcp-leases lab 52:54:00:11:22:33", "mac=52:54:00:11:22:33 network=lab"},
		{"net-event lab lifecycle 1", "event=lifecycle network=lab timeout=1"},
		{"net-update", "command 'net-update' requires <network> option\ncommand 'net-update' requires <command> option\ncommand 'net-update' requires <section> option\ncommand 'net-update' requires <xml> option"},
		{"net-update --section dns-txt lab add <txt/> 0", "command=add network=lab parent-index=0 section=dns-txt xml=<txt/>"},
		{"net-update lab add x <txt/> --parent-index", "expected syntax: --parent-index <number>"},
		{"net-desc lab --title my new words", "network=lab title= my new words"},
		{"net-port-delete", "command 'net-port-delete' requires <network> option\ncommand 'net-port-delete' requires <port> option"},
	} {
		words := strings.Fields(c.line)
		args, err := verbCalled(words[0]).parse(words[1:])
		var got []string
		for _, name := range slices.Sorted(maps.Keys(args.given)) {
			got = append(got, name+"="+args.given[name])
		}
		got = append(got, args.rest...)
		text := strings.Join(got, " ")
		if err != nil {
			text = err.Error()
		}
		if text != c.want {
			t.Errorf("%s:\ngot  %q\nwant %q", c.line, text, c.want)
		}
	}
}

func TestVerbsHaveParametersThatCanBeGiven(t *testing.T) {
	for _, v := range verbs() {
		seen := map[string]bool{"help": true, socketParam.name: true}
		for i, p := range v.params {
			if seen[p.name] || p.name == "" || p.help == "" {
				t.Errorf("%s: parameter %q is there twice, or without a text", v.name, p.name)
			}
			seen[p.name] = true
			if p.kind == theRest && i != len(v.params)-1 {
				t.Errorf("%s: %s takes every word that follows", v.name, p.name)
			}
		}
	}
}

func FuzzParseVerb(f *testing.F) {
	f.Add(uint(0), "--network=lab\n--\n--x")
	f.Add(uint(18), "lab\nadd\ndns-txt\n<txt/>\n--parent-index\n0")
	f.Add(uint(3), "lab\n-o\njson\n--title\na\nb")
	f.Fuzz(func(t *testing.T, which uint, text string) {
		v := verbs()[which%uint(len(verbs()))]
		words := strings.Split(text, "\n")
		args, err := v.parse(words)
		var wrong misused
		if err != nil && !errors.As(err, &wrong) {
			t.Fatalf("%q: %T %v", words, err, err)
		}
		for name := range args.given {
			if p := v.find(name); p == nil {
				t.Errorf("%s %q: took the unknown %q", v.name, words, name)
			}
		}
		if err == nil && !args.help && len(v.missing(args)) > 0 {
			t.Errorf("%s %q: parameters are missing", v.name, words)
		}
	})
}
