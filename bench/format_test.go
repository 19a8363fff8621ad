package main

import "testing"

func TestFormat(t *testing.T) {
	tests := []struct{ got, want string }{
		{formatNumber(0, 3), "0"},
		{formatNumber(7, 3), "7"},
		{formatNumber(0.01234, 3), "0.0123"},
		{formatNumber(999.96, 3), "1,000"},
		{formatNumber(1234.5, 3), "1,234"},
		{formatNumber(123456.7, 3), "123,457"},
		{formatNumber(1e9, 3), "1,000,000,000"},
		{formatNumber(-1234567, 3), "-1,234,567"},
		{formatNumber(-12.345, 3), "-12.3"},
		{formatMicros(0, 3), "0 µs"},
		{formatMicros(0.5, 3), "500 ns"},
		{formatMicros(28.16, 3), "28.2 µs"},
		{formatMicros(999, 3), "999 µs"},
		{formatMicros(1000, 3), "1 ms"},
		{formatMicros(20_012, 3), "20.0 ms"},
		{formatMicros(20_012, 6), "20.0120 ms"},
		{formatMicros(1.5e6, 3), "1.50 s"},
		{formatMicros(90e6, 3), "90 s"},
		{formatBytes(0, 3), "0 B"},
		{formatBytes(78.43, 3), "78.4 B"},
		{formatBytes(1024, 3), "1 KiB"},
		{formatBytes(1500, 3), "1.46 KiB"},
		{formatBytes(-3<<20, 3), "-3 MiB"},
		{formatBytes(5.5*(1<<30), 3), "5.50 GiB"},
	}
	for _, test := range tests {
		if test.got != test.want {
			t.Errorf("got %q, want %q", test.got, test.want)
		}
	}
}
