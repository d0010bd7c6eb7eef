module verify

go 1.22.0
