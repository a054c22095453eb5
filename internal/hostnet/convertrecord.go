package hostnet

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"kvmnet/internal/api"
	"kvmnet/internal/netfiles"
)

// record is what is kept of a confirmed conversion, so that it can be taken back byte
// for byte.
type record struct {
	Bridge  string            `json:"bridge"`
	NIC     string            `json:"nic"`
	Manager netfiles.Manager  `json:"manager,omitempty"` // "" = no files were written
	Files   []netfiles.Change `json:"files,omitempty"`
	Own     json.RawMessage   `json:"own,omitempty"` // what the bridge had before; nil = it was made for the NIC
	Made    time.Time         `json:"made"`
}

func (h *Host) recordPath(bridge string) string {
	return filepath.Join(h.StateDir, "conversions", bridge+".json")
}

// keep makes a record durable, as a whole.
func (h *Host) keep(r record) error {
	data, err := json.MarshalIndent(r, "", "  ")
	if err == nil {
		err = writeDurably(h.recordPath(r.Bridge), append(data, '\n'))
	}
	if err != nil {
		return fmt.Errorf("keep what became of %s: %w", r.NIC, err)
	}
	return nil
}

// forget removes a record.
func (h *Host) forget(bridge string) error { return removeDurably(h.recordPath(bridge)) }

// removeDurably removes a file, if there is one.
func removeDurably(path string) error {
	err := os.Remove(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return errors.Join(err, syncDir(filepath.Dir(path)))
}

func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

// recorded finds the conversion of a bridge.
func (h *Host) recorded(bridge string) (record, error) {
	data, err := os.ReadFile(h.recordPath(bridge))
	if errors.Is(err, fs.ErrNotExist) {
		return record{}, &api.Error{Code: api.CodeNotFound, Message: fmt.Sprintf(
			"bridge %s does not come from 'kvmnet bridge convert', or that is not confirmed yet; see 'kvmnet bridge list'", bridge)}
	}
	if err != nil {
		return record{}, err
	}
	var r record
	if err := json.Unmarshal(data, &r); err != nil {
		return record{}, fmt.Errorf("read %s: %w", h.recordPath(bridge), err)
	}
	return r, nil
}

func isNotFound(err error) bool {
	var coded *api.Error
	return errors.As(err, &coded) && coded.Code == api.CodeNotFound
}

// Conversions implements api.BridgeService.
func (h *Host) Conversions(context.Context) ([]api.ConvertedBridge, error) {
	names, err := filepath.Glob(h.recordPath("*"))
	if err != nil {
		return nil, err
	}
	var list []api.ConvertedBridge
	for _, n := range names {
		r, err := h.recorded(strings.TrimSuffix(filepath.Base(n), ".json"))
		if err != nil {
			return nil, err
		}
		c := api.ConvertedBridge{Bridge: r.Bridge, Interface: r.NIC, Manager: string(r.Manager), Made: r.Made}
		for _, f := range r.Files {
			c.Files = append(c.Files, f.Path)
		}
		list = append(list, c)
	}
	return list, nil
}
