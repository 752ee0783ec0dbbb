@0xa3f1d2c4b5968778;
# Every feature the plugin knows, for roundtrip_test.c. Not part of the ABI.

const small :Int32 = -7;
const tiny :Int16 = -3;
const lowest :Int64 = -0x8000000000000000;
const big :UInt64 = 0xffffffffffffffff;
const middling :UInt32 = 3000000000;
const greeting :Text = "say \"hi\"?\n";
const favourite :Color = blue;

enum Color { red @0; green @1; blue @2; lightGrey @3; }

struct Point { x @0 :Int32; y @1 :Int32 = -1; }

struct Everything {
  yes @0 :Bool;
  noByDefault @1 :Bool = true;
  i8 @2 :Int8;
  i16 @3 :Int16 = -300;
  i32 @4 :Int32;
  i64 @5 :Int64 = -5;
  u8 @6 :UInt8 = 200;
  u16 @7 :UInt16;
  u32 @8 :UInt32;
  u64 @9 :UInt64;
  f32 @10 :Float32 = 1.5;
  f64 @11 :Float64;
  color @12 :Color = green;
  text @13 :Text;
  textDefault @14 :Text = "as \"usual\"";
  data @15 :Data;
  point @16 :Point;
  bools @17 :List(Bool);
  bytes @18 :List(UInt8);
  shorts @19 :List(Int16);
  longs @20 :List(UInt64);
  colors @21 :List(Color);
  texts @22 :List(Text);
  datas @23 :List(Data);
  points @24 :List(Point);
  rows @25 :List(List(UInt32));
  nothing @26 :Void;
  union {
    unset @27 :Void;
    number @28 :UInt32;
    name @29 :Text;
    place :group {
      point @30 :Point;
      union {
        indoors @31 :Void;
        floorNumber @32 :Int8;
      }
    }
  }
  size :group {
    widthMM @33 :UInt16;
    heightMM @34 :UInt16 = 9;
  }
  tree @35 :Tree;
  port @36 :Port;
  any @37 :Capability;
  ports @38 :List(Port);

  struct Tree { value @0 :UInt8; children @1 :List(Tree); }
}

interface Port {
  open @0 (path :Text, forWriting :Bool) -> (stream :Stream);
  close @1 ();
  moveTo @2 Point -> (moved :Bool);

  interface Stream extends(Port) {
    readURLNow @0 (count :UInt32 = 512) -> (data :Data);
  }
}

const sample :Everything = (
  yes = true, noByDefault = false, i8 = -8, i16 = -16000, i32 = -32, i64 = -64000000000,
  u8 = 8, u16 = 16, u32 = 4000000000, u64 = 0xfedcba9876543210, f32 = 2.5, f64 = -0.125,
  color = lightGrey, text = "some text", textDefault = "other", data = "\x00\x01\xff",
  point = (x = 3, y = 4), bools = [true, false, false, true, true, false, true, false, true],
  bytes = [1, 2, 3], shorts = [-1, 2, -3], longs = [1, 0xffffffffffffffff],
  colors = [blue, red], texts = ["one", "", "three"], datas = ["\x07", ""],
  points = [(x = 1), (y = 2), (x = 5, y = 6)], rows = [[1, 2], [], [3]],
  place = (point = (x = 7, y = 8), floorNumber = -2), size = (widthMM = 100, heightMM = 200),
  tree = (value = 1, children = [(value = 2), (value = 3, children = [(value = 4)])])
);
