package store

import (
	"path/filepath"
	"testing"
)

const many = 10_000

func openBench(b *testing.B) *Store {
	root := b.TempDir()
	s, err := Open(Dirs{Config: filepath.Join(root, "etc"), State: filepath.Join(root, "var"), Runtime: filepath.Join(root, "run")})
	if err != nil {
		b.Fatal(err)
	}
	return s
}

// BenchmarkDefine writes many objects at once, durably.
func BenchmarkDefine(b *testing.B) {
	objs := forwards(many, 80)
	for b.Loop() {
		b.StopTimer()
		s := openBench(b)
		b.StartTimer()
		if err := s.Define(objs); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkDefined reads many objects: at first, when one changed, when none did.
func BenchmarkDefined(b *testing.B) {
	s := openBench(b)
	if err := s.Define(forwards(many, 80)); err != nil {
		b.Fatal(err)
	}
	read := func(b *testing.B, before func(i int) error) {
		for i := 0; b.Loop(); i++ {
			if err := before(i); err != nil {
				b.Fatal(err)
			}
			if got, err := s.Defined(); err != nil || len(got.Forwards) < many {
				b.Fatal(err, len(got.Forwards))
			}
		}
	}
	b.Run("first", func(b *testing.B) {
		read(b, func(int) (err error) { s, err = Open(s.dirs); return err })
	})
	b.Run("one changed", func(b *testing.B) {
		read(b, func(i int) error {
			return s.Define(forwards(1, uint16(1+i%1000)))
		})
	})
	b.Run("none changed", func(b *testing.B) {
		read(b, func(int) error { return nil })
	})
}
