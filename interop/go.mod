module github.com/otsauth/otsauth/interop

go 1.25.0

replace github.com/otsauth/otsauth => ../
