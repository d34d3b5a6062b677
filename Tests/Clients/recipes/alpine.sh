# A person at its screen: composes, sends, types the key.
mkdir -p /dev/pts; mount -t devpts -o newinstance,ptmxmode=0666 devpts /dev/pts; ln -s pts/ptmx /dev/ptmx
cp alpine /root/.pinerc
python3 recipe.py
