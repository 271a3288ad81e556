module example.org/shout

go 1.21
