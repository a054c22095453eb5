package cli

import (
	"encoding/json"
	"fmt"
	"os"
	"slices"
	"strings"
)

// configure tells Firecracker of its NICs: in a copy of its configuration, or where it
// has none, whoever drives it by its API is told what to put.
func (r *run) configure(args []string) ([]string, error) {
	nics := r.firecrackerNICs()
	if r.vm != firecrackerVM || len(nics) == 0 {
		return args, nil
	}
	at, file := configFile(args)
	if at < 0 {
		for _, n := range nics {
			text, _ := json.Marshal(n) // strings always encode
			r.hint("PUT /network-interfaces/%s %s", n.ID, text)
		}
		return args, nil
	}
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	if text, err = addInterfaces(text, nics); err != nil {
		return nil, fmt.Errorf("add NICs to %s: %w", file, err)
	}
	copied, err := r.writeConfig(text)
	args = slices.Clone(args)
	args[at] = strings.TrimSuffix(args[at], file) + copied
	return args, err
}

func (r *run) firecrackerNICs() (list []firecrackerNIC) {
	for i, n := range r.nics {
		if !n.own {
			list = append(list, n.wiring(i).firecrackerNIC())
		}
	}
	return list
}

// hint says something to people, beside what the machine writes.
func (r *run) hint(format string, args ...any) {
	if !r.quiet {
		fmt.Fprintf(r.Stderr, "kvmnet: "+format+"\n", args...)
	}
}

// configFile finds the word with the configuration's file, and the file.
func configFile(args []string) (at int, file string) {
	for i, word := range args {
		if word == "--config-file" && i+1 < len(args) {
			return i + 1, args[i+1]
		}
		if file, ok := strings.CutPrefix(word, "--config-file="); ok {
			return i, file
		}
	}
	return -1, ""
}

// addInterfaces adds NICs to a configuration, whatever else it says.
func addInterfaces(text []byte, nics []firecrackerNIC) ([]byte, error) {
	var config map[string]json.RawMessage
	if err := json.Unmarshal(text, &config); err != nil {
		return nil, err
	}
	var list []any
	if have := config["network-interfaces"]; have != nil {
		if err := json.Unmarshal(have, &list); err != nil {
			return nil, fmt.Errorf("network-interfaces: %w", err)
		}
	}
	for _, n := range nics {
		list = append(list, n)
	}
	if config == nil {
		config = map[string]json.RawMessage{}
	}
	var err error
	if config["network-interfaces"], err = json.Marshal(list); err != nil {
		return nil, err
	}
	return json.Marshal(config)
}

// writeConfig writes a configuration for the machine to read. It goes when the machine
// has ended.
func (r *run) writeConfig(text []byte) (string, error) {
	f, err := os.CreateTemp("", "kvmnet-*.json")
	if err != nil {
		return "", err
	}
	defer f.Close()
	r.left = append(r.left, func() { os.Remove(f.Name()) })
	if r.as != nil {
		if err := f.Chown(r.as.uid, r.as.gid); err != nil {
			return "", err
		}
	}
	_, err = f.Write(text)
	return f.Name(), err
}
