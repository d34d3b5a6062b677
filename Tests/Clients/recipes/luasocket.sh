lua5.4 luasocket
